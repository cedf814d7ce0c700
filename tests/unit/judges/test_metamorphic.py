"""Relations between outputs: planted differences, what is said of them, what proves nothing."""

import numpy as np
import pytest

from pytest_infer.judges.metamorphic import References, judge_relation
from pytest_infer.judges.relations import (
    CONCURRENT,
    EQUAL_ROWS,
    INTERLEAVED,
    PERMUTED,
    REBUILT,
    REOPENED,
    REPEATED,
    SPLIT,
)
from pytest_infer.judges.tolerance import Tolerance

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
        "resnet50-ort-fp32-b2 breaks a rule: equal rows of a batch give equal outputs\n"
        "  why:  'logits' max_abs 5 > 8.11921e-05: the derived tolerance\n"
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


@pytest.mark.parametrize("relation", [*EXACT, *ROUNDED])
def test_an_engine_s_own_nan_is_its_fault(relation):
    """NaN in both ways is no agreement, and the reference has none."""
    nan = {"logits": np.where(np.arange(20).reshape(2, 10) == 3, np.nan, LOGITS)}
    verdict = judge_relation(
        nan, nan, relation, references=REFERENCES, precision="fp32", subject="toy-ort-fp32-b1"
    )
    assert (verdict.status, verdict.code) == ("fail", "not-finite")
    assert verdict.message == (
        "toy-ort-fp32-b1: output 'logits' is not finite\n"
        "  why:  1 of 20 elements; the first is [0, 3]: nan\n"
        "  mend: look for an overflow (fp16 ends at 65504) or a division by zero; "
        "no tolerance forgives it"
    )
    as_eager = References(OUTPUTS, nan)
    verdict = judge_relation(nan, nan, relation, references=as_eager, precision="fp32")
    assert verdict.code == "eager-not-finite"


@pytest.mark.parametrize("relation", [PERMUTED, SPLIT])
def test_copied_rows_are_the_engine_s_fault(relation):
    """Rows that are alike in the engine and differ in the reference are a fault."""
    copied = {"logits": np.repeat(LOGITS[:1], 2, axis=0)}
    verdict = judge_relation(
        copied, copied, relation, references=REFERENCES, precision="fp32", subject="toy"
    )
    assert (verdict.status, verdict.code) == ("fail", "rows-alike")
    assert verdict.message == (
        "toy: output 'logits' is the same in every row\n"
        "  why:  eager's rows differ, and by more than rounding explains\n"
        "  mend: look for a row that is computed once and copied, or never written"
    )


def test_rows_that_differ_by_rounding_prove_nothing():
    """Eager's rows differ by less than an engine may be off: the feeds are to blame."""
    near = {"logits": np.stack([LOGITS[0], LOGITS[0] * (1 + 1e-7)])}
    alike = {"logits": np.repeat(LOGITS[:1], 2, axis=0)}
    verdict = judge_relation(
        alike, alike, SPLIT, references=References(near, near), precision="fp32"
    )
    assert verdict.code == "vacuous"


def test_labels_that_are_copied_are_a_fault():
    """Integers have no rounding: rows that differ in the reference must differ."""
    labels = {"label": np.array([[1], [2]])}
    alike = {"label": np.array([[1], [1]])}
    known = References(labels, labels)
    verdict = judge_relation(alike, alike, PERMUTED, references=known, precision="fp32")
    assert verdict.code == "rows-alike"


@pytest.mark.parametrize(
    ("values", "flaw"), [(0.0, "is all zero"), (7.0, "is constant (7)"), (1e-40, "has only")]
)
def test_an_engine_that_agrees_with_itself_on_nothing_is_wrong(values, flaw):
    """Zeros, constants and denormals prove nothing; the reference says that they are wrong."""
    outputs = {"logits": np.full((2, 10), values)}
    verdict = judge_relation(
        outputs, outputs, REPEATED, references=REFERENCES, precision="fp32", subject="toy"
    )
    assert verdict.code == "diverged"
    assert verdict.message.startswith(f"toy: output 'logits' {flaw}")


def test_small_channels_have_a_tolerance_of_their_own():
    """Scores beside boxes in pixels may differ as scores, not as pixels."""
    draw = np.random.default_rng(0)
    scales = np.array([640, 640, 1, 1]).reshape(1, -1, 1)
    truth = scales * draw.uniform(0.1, 0.9, (2, 4, 50))
    eager = {"y": truth * (1 + draw.normal(0, 3e-3, truth.shape))}
    known = References({"y": truth}, eager)
    moved = truth.copy()
    moved[1, 3, 7] += 0.12
    verdict = judge_relation({"y": moved}, {"y": truth}, SPLIT, references=known, precision="bf16")
    assert verdict.code == "batch-matters"
    assert "'y' at 2 to 3 of axis 1 (scale 0." in verdict.message
    assert "worst element y[1, 3, 7]" in verdict.message
    boxes = truth.copy()
    boxes[1, 0, 7] += 0.12
    verdict = judge_relation({"y": boxes}, {"y": truth}, SPLIT, references=known, precision="bf16")
    assert verdict.code == "consistent"
