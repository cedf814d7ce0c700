"""Parts of an output: which slices are of like scale, and along which axis."""

import numpy as np
import pytest

from pytest_infer.judges.scales import Part, parts_of, told_place, worst_element

DRAW = np.random.default_rng(0)


def mixed(axis, *scales, shape=(2, 40, 50), dtype=np.float64):
    """Return normal values whose slices along an axis have these scales, in turn."""
    shape = list(shape)
    shape[axis] = len(scales)
    factors = np.array(scales).reshape([-1 if at == axis else 1 for at in range(len(shape))])
    return (DRAW.standard_normal(shape) * factors).astype(dtype)


def members(values, precision="fp32"):
    """Return each part's axis and members."""
    return [(part.axis, part.members) for part in parts_of(values, precision)]


@pytest.mark.parametrize("axis", [1, 2])
def test_slices_of_like_scale_are_a_part(axis):
    """Four channels near 640 and three near 0.3 are two parts, channels first or last."""
    values = mixed(axis, 640, 500, 0.3, 600, 0.2, 0.3, 400)
    assert members(values) == [(axis, (0, 1, 3, 6)), (axis, (2, 4, 5))]
    large, small = parts_of(values, "fp32")
    assert 560 < large.scale < 720
    assert 0.26 < small.scale < 0.34
    assert small.of(values).shape == tuple(
        3 if at == axis else n for at, n in enumerate((2, 40, 50))
    )


def test_one_scale_has_no_parts():
    """Within a factor of eight the whole output is judged, and nothing else."""
    assert parts_of(mixed(1, 1, 2, 3, 4, 5), "fp32") == ()


def test_a_chain_of_scales_is_cut():
    """Scales that grow step by step are parted by the factor from the largest of each part."""
    values = mixed(1, 1, 4, 16, 64, 256, 1024, shape=(8, 0, 1000))
    assert members(values) == [(1, (4, 5)), (1, (2, 3)), (1, (0, 1))]


def test_the_batch_is_not_split():
    """Rows are inputs, not channels: a dark photograph is no part."""
    assert parts_of(mixed(0, 1000, 1), "fp32") == ()
    assert parts_of(np.array([1e-3, 1, 1000] * 10), "fp32") == ()


def test_a_value_is_no_scale():
    """Slices of which fewer than four elements count are large or small by value: few logits."""
    signs = np.array([[1, -1, 1, -1, 1]]).T
    assert parts_of(signs[:3] * np.array([1000.0, 1]), "fp32") == ()
    assert len(parts_of(signs * np.array([1000.0, 1]), "fp32")) == 2


def test_elements_count_by_their_weight():
    """Beside one channel of boxes, two rows of it are all that a slice along the anchors has."""
    assert members(mixed(1, 640, 0.3, 0.3, 0.3, 0.3)) == [(1, (0,)), (1, (1, 2, 3, 4))]


def test_zeros_stay_with_the_smallest():
    """A channel of zeros has no scale; it is judged with the smallest that have one."""
    values = mixed(1, 640, 0.3, 0, 1e-12)
    assert members(values) == [(1, (0,)), (1, (1, 2, 3))]
    assert parts_of(mixed(1, 640, 0), "fp32") == ()
    assert parts_of(np.zeros((2, 3, 9)), "fp32") == ()


def test_below_rounding_there_is_no_scale():
    """In bf16 a hundredth beside one is of the size of its roundoffs; in fp32 it is not."""
    values = mixed(1, 1, 0.003)
    assert parts_of(values, "bf16") == ()
    assert len(parts_of(values, "fp32")) == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_has_no_parts(bad):
    """NaN has no scale; nor have integers parts."""
    values = mixed(1, 640, 0.3)
    values[0, 0, 0] = bad
    assert parts_of(values, "fp32") == ()
    assert parts_of(mixed(1, 640, 3, dtype=np.int64), "fp32") == ()


def test_tiny_and_huge_values_are_scaled_before_they_are_squared():
    """Squares of 1e-200 and 1e200 are zero and infinite; their scales are not."""
    assert len(parts_of(1e-200 * mixed(1, 640, 0.3), "fp64")) == 2
    assert len(parts_of(1e200 * mixed(1, 640, 0.3), "fp64")) == 2


def test_a_part_is_told():
    """Neighbours are a range, and of many ranges three are named."""
    part = Part(1, (0, 1, 2, 5, 7, 8), 0.3)
    assert told_place("y", part) == "'y' at 0 to 2, 5, 7 to 8 of axis 1 (scale 0.3):"
    assert str(Part(2, (0, 2, 4, 6, 8), 640)) == "0, 2, 4 and 2 more of axis 2 (scale 640)"
    assert told_place("y", None) == "'y'"


def test_the_worst_element_of_a_part_is_named_by_its_place_in_the_whole():
    """The part's error is reported, not the larger one beside it."""
    expected = np.zeros((1, 4, 3))
    actual = expected.copy()
    actual[0, 0, 0], actual[0, 3, 2] = 9, 0.5
    assert worst_element("y", actual, expected).startswith("worst element y[0, 0, 0]: 9 ")
    told = worst_element("y", actual, expected, Part(1, (1, 3), 1.0))
    assert told == "worst element y[0, 3, 2]: 0.5 instead of 0"
