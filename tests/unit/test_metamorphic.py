"""Relations between outputs: planted differences, what is said of them, what proves nothing."""

import numpy as np
import pytest

from pytest_infer.metamorphic import (
    CONCURRENT,
    EQUAL_ROWS,
    INTERLEAVED,
    PERMUTED,
    REBUILT,
    REOPENED,
    REPEATED,
    SPLIT,
    References,
    judge_relation,
)
from pytest_infer.tolerance import Tolerance

LOGITS = np.linspace(-3, 5, 20).reshape(2, 10)
OUTPUTS = {"logits": LOGITS}
EAGER = {"logits": LOGITS + 5e-6}
REFERENCES = References(OUTPUTS, EAGER)
EXACT = (REPEATED, REOPENED, INTERLEAVED, CONCURRENT)
ROUNDED = (EQUAL_ROWS, PERMUTED, SPLIT, REBUILT)


def judge(actual, relation, **settings):
    """Judge fp32 logits, of which eager's error is a millionth."""
    settings = {"references": REFERENCES, "precision": "fp32"} | settings
    return judge_relation({"logits": actual}, OUTPUTS, relation, **settings)


@pytest.mark.parametrize("relation", EXACT)
def test_the_same_arithmetic_may_not_differ_in_a_bit(relation):
    """Equal outputs pass; the next number of float64 fails with the relation's code."""
    assert judge(LOGITS, relation).code == "consistent"
    changed = LOGITS.copy()
    changed[1, 3] = np.nextafter(changed[1, 3], 9)
    verdict = judge(changed, relation)
    assert (verdict.status, verdict.code) == ("fail", relation.code)


@pytest.mark.parametrize("relation", ROUNDED)
def test_other_kernels_may_round_otherwise(relation):
    """Six times the noise floor passes, twenty times does not."""
    assert judge(LOGITS + 5 * 6e-6, relation).code == "consistent"
    assert judge(LOGITS + 5 * 2e-5, relation).code == relation.code


def test_a_failure_is_told_in_full():
    """The message names claim, difference, bound, element, both values, cause and tolerance."""
    changed = LOGITS.copy()
    changed[1] = 0
    assert judge(changed, EQUAL_ROWS, subject="resnet50-ort-fp32-b2").message == (
        "resnet50-ort-fp32-b2: it is not so that equal rows of a batch give equal outputs\n"
        "  why:  'logits' max_abs 5 > 3.11921e-05: the derived tolerance\n"
        "        worst element logits[1, 9]: 0 instead of 5\n"
        "  mend: look for a row that is not written, or an index that mixes rows; or accept it: "
        "@pytest.mark.tolerance(max_abs=5.0)"
    )
    assert judge(changed, EQUAL_ROWS, tolerance=Tolerance(max_abs=5)).code == "consistent"


@pytest.mark.parametrize("relation", [PERMUTED, SPLIT])
@pytest.mark.parametrize("values", [LOGITS[:1], np.repeat(LOGITS[:1], 2, axis=0)])
def test_rows_that_are_alike_prove_nothing(relation, values):
    """One row, or equal ones, cannot show that rows were mixed up."""
    outputs = {"logits": values}
    verdict = judge_relation(outputs, outputs, relation, precision="fp32")
    assert (verdict.status, verdict.code) == ("fail", "vacuous")


def test_nothing_but_zeros_proves_nothing():
    """An engine that always puts out zeros agrees with itself, and fails."""
    outputs = {"logits": np.zeros((2, 10))}
    verdict = judge_relation(outputs, outputs, REPEATED, precision="fp32")
    assert verdict.code == "vacuous"


def test_nan_and_shapes_are_told_as_such():
    """What cannot be compared has the codes of parity."""
    assert judge(LOGITS[:1], REPEATED).code == "wrong-shape"
    assert judge(np.full((2, 10), np.nan), REPEATED).code == "not-finite"


def test_integers_never_round():
    """A label that differs fails whatever the relation, and no tolerance forgives it."""
    left, right = {"label": np.array([1, 2])}, {"label": np.array([1, 3])}
    verdict = judge_relation(left, right, REBUILT, precision="fp32", tolerance=Tolerance(max_abs=5))
    assert verdict.code == "rebuild-differs"
