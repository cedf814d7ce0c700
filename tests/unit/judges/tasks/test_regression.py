"""The judge of targets: planted errors of known size, and columns that prove nothing."""

import numpy as np
import pytest

from pytest_infer.judges.tasks.regression import regression
from tests.unit.judges.tasks.rows_of import rows_of

SCALES = np.array([1000.0, 1.0, 0.01])
REFERENCE = np.random.default_rng(0).normal(0, 1, (16, 3)) * SCALES
NOISE = {"fp32": 3e-7, "fp16": 1e-3, "int8": 2e-2}
LABELS = ("price", "rooms", "risk")


def noise(precision, seed):
    """Return errors of a precision's size, relative to each column."""
    errors = np.random.default_rng(seed).normal(0, 1, REFERENCE.shape)
    return NOISE[precision] * errors * SCALES


def judge(actual, precision="fp32", reference=REFERENCE, **settings):
    """Judge beside eager's noise."""
    eager = REFERENCE + noise(precision, 1)
    return regression(
        rows_of(
            "regression", actual, reference, eager, precision=precision, labels=LABELS, **settings
        )
    )


@pytest.mark.parametrize("precision", NOISE)
@pytest.mark.parametrize("seed", range(2, 12))
def test_other_noise_of_eager_s_size_passes(precision, seed):
    """What rounding explains in a column is forgiven."""
    verdict = judge(REFERENCE + noise(precision, seed), precision)
    assert (verdict.status, verdict.code) == ("pass", "match"), verdict.message


@pytest.mark.parametrize("column", range(3))
def test_one_column_is_not_diluted_by_larger_ones(column):
    """An error of a thousandth of its own scale fails in any column, and is named."""
    actual = REFERENCE + noise("fp32", 2)
    actual[5, column] += 1e-3 * SCALES[column]
    verdict = judge(actual)
    assert (verdict.status, verdict.code) == ("fail", "wrong-target")
    assert f"row 5: {LABELS[column]} of 'y' is" in verdict.message
    root = np.sqrt(np.mean(REFERENCE[:, column] ** 2))
    error = 1e-3 * SCALES[column] / root
    assert verdict.figures["target_error"] == pytest.approx(error, rel=1e-2)


def test_a_scaled_column_is_seen_in_fp16():
    """Five per cent are more than fp16 explains."""
    actual = REFERENCE * [1, 1, 1.05]
    assert judge(actual, "fp16").code == "wrong-target"


def test_a_tolerance_replaces_what_is_derived():
    """The bound of the message passes, and a tighter one does not."""
    actual = REFERENCE * [1, 1.1, 1]
    verdict = judge(actual)
    bound = float(verdict.message.rpartition("target_error=")[2].removesuffix(")"))
    assert judge(actual, target_error=bound).code == "match"
    assert judge(actual, target_error=bound / 2).code == "wrong-target"


def test_several_outputs_and_axes():
    """Every output that holds fractions is judged; columns are those of the last axis."""
    truth = {"y": REFERENCE.reshape(4, 4, 3), "n": np.arange(4), "z": REFERENCE[:4, 0]}
    assert regression(rows_of("regression", truth, truth)).code == "match"
    wrong = truth | {"z": truth["z"] * 1.01}
    assert "column 0 of 'z'" in regression(rows_of("regression", wrong, truth)).message
    wrong = truth | {"y": truth["y"] + np.eye(4)[:, :, None] * [0, 0, 1e-4]}
    message = regression(rows_of("regression", wrong, truth)).message
    assert "1 of 4 columns differ" in message


@pytest.mark.parametrize(("off", "code"), [(1e-5, "match"), (1e-3, "wrong-target")])
def test_one_target_is_held_to_the_ceiling(off, code):
    """Its noise says nothing, so that the precision's ceiling judges: 1e-4 in fp32."""
    reference = np.array([[3.0, 5.0]])
    verdict = regression(
        rows_of("regression", reference * [1, 1 + off], reference, reference + 1e-7)
    )
    assert verdict.code == code


def test_a_column_of_zeros_stays_zero():
    """It is held to what rounding is of the largest target; no tolerance of its own forgives it."""
    reference = REFERENCE * [1, 0, 1]
    eager = reference + noise("fp32", 1) * [1, 0, 1]
    for value, code in ((1e-3, "match"), (1.0, "wrong-target")):
        actual = reference + np.array([0, value, 0])
        verdict = regression(rows_of("regression", actual, reference, eager))
        assert verdict.code == code
    assert verdict.message.endswith(
        "no tolerance forgives a target of a column that is zero in the reference"
    )


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        (np.tile([[1.0, 2.0]], (4, 1)), "every column of the reference is constant over the rows"),
        (np.zeros((4, 2)), "every column of the reference is constant over the rows"),
        (np.arange(4), "no output holds fractions"),
    ],
)
def test_columns_that_prove_nothing_are_vacuous(reference, why):
    """Constants, zeros and integers."""
    verdict = regression(rows_of("regression", reference, reference))
    assert (verdict.status, verdict.code) == ("fail", "vacuous")
    assert why in verdict.message
