"""What an output and its parts may differ by, from eager's own error."""

import math

import numpy as np
import pytest

from pytest_infer.judges.allowance import DERIVED, Noise, allowances
from pytest_infer.judges.tolerance import CEILING, UNIT_ROUNDOFF

DRAW = np.random.default_rng(0)
SCALES = np.array([640, 640, 0.3, 0.3]).reshape(1, -1, 1)
REFERENCE = SCALES * DRAW.uniform(0.5, 1, (8, 4, 100))
LARGEST = REFERENCE.max()


def of_parts(errors, precision="fp32"):
    """Return the allowances of whole, boxes and scores, where eager has these relative errors."""
    factors = np.array(errors).reshape(1, -1, 1)
    eager = REFERENCE * (1 + factors * DRAW.choice([-1.0, 1.0], REFERENCE.shape))
    return list(allowances(eager, REFERENCE, precision))


def test_the_whole_comes_first():
    """The whole output has the bounds that it always had."""
    whole, boxes, scores = of_parts([1e-6] * 4)
    assert (whole.part, boxes.part.members, scores.part.members) == (None, (0, 1), (2, 3))
    assert whole.bound("relative_l2") == pytest.approx(16e-6 + 4 * 2**-24)
    assert whole.bound("max_abs") == pytest.approx(
        16 * np.abs(whole.whole.eager - REFERENCE).max() + 4 * 2**-24 * LARGEST
    )


def test_a_part_is_held_to_its_own_scale():
    """Where eager is as wrong everywhere, scores are allowed the same share of their own scale."""
    _, boxes, scores = of_parts([1e-2] * 4, "bf16")
    luck = 1.2  # of 1600 alike errors
    floor = 4 * 2**-8
    largest = REFERENCE[:, 2:].max()
    assert boxes.bound("relative_l2") == pytest.approx(4e-2 + floor, rel=luck - 1)
    assert scores.bound("max_abs") < 4e-2 * largest * luck + floor
    assert scores.bound("max_abs") > 4e-2 * 0.3 * 0.5 + floor


def test_a_part_is_never_held_to_less_than_the_whole():
    """Eager's scores are exact by luck; relative to their scale they may be as wrong as boxes."""
    _, _, scores = of_parts([1e-2, 1e-2, 0, 0], "bf16")
    root = math.sqrt(np.mean(np.square(REFERENCE[:, 2:])))
    assert scores.bound("relative_l2") == pytest.approx(4e-2 + 4 * 2**-8 / root, rel=1e-3)


def test_a_part_has_no_ceiling():
    """Where eager's scores are half wrong in bf16 an engine's may be; the whole has its ceiling."""
    whole, _, scores = of_parts([1e-2, 1e-2, 0.5, 0.5], "bf16")
    assert scores.bound("relative_l2") > 2
    assert not scores.is_at_ceiling("relative_l2")
    assert whole.bound("relative_l2") < CEILING["bf16"]


def test_rounding_of_the_whole_is_no_error_of_a_part():
    """In fp32 four roundoffs of the largest value are the floor: a sigmoid times 640."""
    _, _, scores = of_parts([0, 0, 0, 0])
    assert scores.bound("max_abs") == pytest.approx(4 * 2**-24 * LARGEST)


def test_few_errors_are_lucky():
    """A single wrong element tells nothing; over many, luck is gone."""
    some, alike = np.zeros(1000), np.ones(1000)
    some[7] = 1
    assert Noise(some, np.zeros(1000)).luck == math.inf
    assert Noise(np.zeros(1000), np.zeros(1000)).luck == 1
    assert Noise(alike, np.zeros(1000)).luck == pytest.approx(math.exp(4.75 / math.sqrt(2 * 999)))
    assert Noise(None, alike).luck == 1


def test_a_part_with_one_error_is_left_to_the_whole():
    """Nearly dead channels, where eager's only error is of one element, have no bound of theirs."""
    reference = np.zeros((2, 4, 100))
    reference[:, :3] = DRAW.uniform(50, 100, (2, 3, 100))
    reference[0, 3, 7:12] = 0.5
    eager = reference * (1 + 1e-3 * DRAW.standard_normal(reference.shape))
    eager[:, 3] = reference[:, 3]
    eager[0, 3, 8] = 0.51
    dead = list(allowances(eager, reference, "fp16"))[-1]
    assert dead.part.members == (3,)
    assert [dead.bound(name) for name in DERIVED] == [math.inf] * 3


@pytest.mark.parametrize("precision", ["fp64", "fp32"])
def test_without_eager_the_ceiling_judges_every_part(precision):
    """fp64, and an eager that overflows, have no noise: ceilings and roundoffs of each scale."""
    eager = REFERENCE.copy()
    eager[0, 0, 0] = np.inf
    for each in allowances(eager, REFERENCE, precision):
        assert each.noise.eager is None
        size = each.noise.largest
        least = 0 if each.part is None else 4 * UNIT_ROUNDOFF[precision] * LARGEST
        assert each.bound("max_abs") == pytest.approx(CEILING[precision] * size + least)


def test_a_large_row_counts_for_its_weight():
    """Rows whose errors could cancel are counted by their weight: beside 1000, eight ones are 1."""
    rows = DRAW.standard_normal((9, 50))
    assert 8 < Noise(None, rows).rows(1e-4) <= 9
    rows[0] *= 1000
    assert Noise(None, rows).rows(1e-4) == pytest.approx(1, abs=1e-3)


def test_an_element_that_carries_all_may_be_as_wrong_as_the_whole():
    """Beside one huge box the relative L2 is its error, and so is the gain."""
    reference = DRAW.standard_normal((2, 1000))
    eager = reference * (1 + 1e-3 * DRAW.standard_normal(reference.shape))
    (alike,) = allowances(eager, reference, "fp16")
    assert alike.bound("gain") == pytest.approx(alike.bound("relative_l2") / 2 / 2**0.5, rel=0.01)
    eager[1, 7], reference[1, 7] = 1e6, 1e6 * (1 + 1e-3)
    (huge,) = allowances(eager, reference, "fp16")
    assert huge.bound("gain") == pytest.approx(huge.bound("relative_l2"), rel=1e-3)


def test_zeros_allow_nothing():
    """Where the reference is zero everywhere, nothing is relative to it."""
    (whole,) = allowances(np.full(9, 1e-9), np.zeros(9), "fp32")
    assert whole.bound("max_abs") == 0
