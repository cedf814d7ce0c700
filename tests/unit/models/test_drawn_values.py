"""Drawn values cover the range of their spec, or else of their dtype, its ends included."""

import numpy as np
import pytest

from pytest_infer.models.drawn_values import clipped, draw
from pytest_infer.models.spec import TensorSpec

SHAPE = (4, 50)


def drawn(dtype="float32", shape=SHAPE, seed=0, turn=0, **ends):
    """Return values of a spec."""
    random = np.random.default_rng(seed)
    return draw(TensorSpec((), dtype, **ends), shape, random, turn=turn)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_integers_cover_their_dtype(dtype):
    """The ends are there, and half of the others are in either half."""
    values, whole = drawn(dtype), np.iinfo(dtype)
    assert values.dtype == dtype
    assert (values.min(), values.max()) == (whole.min, whole.max)
    middle = (int(whole.min) + int(whole.max)) // 2
    assert 60 < sum(int(value) > middle for value in values.ravel()) < 140


def test_integers_keep_to_the_range_that_is_stated():
    """A vocabulary's first and last index are among those drawn, and every one between."""
    values = drawn("int64", low=3, high=12)
    assert set(values.ravel().tolist()) == set(range(3, 13))


def test_one_end_alone_is_enough():
    """The other one is the dtype's."""
    assert drawn("int32", high=7).max() == 7
    assert drawn("int32", high=7).min() == -(2**31)
    assert drawn("uint8", low=9).min() == 9
    assert drawn("uint8", low=9).max() == 255


def test_bools_are_both():
    """Half of them are true; two are never alike."""
    assert 60 < drawn("bool").sum() < 140
    assert all(drawn("bool", (1, 2), seed).sum() == 1 for seed in range(20))


def test_fractions_are_standard_normal():
    """Without a range nothing is changed in them."""
    values = drawn()
    np.testing.assert_array_equal(
        values, np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    )


@pytest.mark.parametrize(("low", "high"), [(0, 1), (100, 200), (-1e-3, 1e-3), (0, None), (None, 0)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_fractions_keep_to_the_range_that_is_stated(dtype, low, high):
    """Stated ends are there, nothing is beyond them, and values do not pile up at one."""
    values = drawn(dtype, low=low, high=high)
    kind = np.dtype(dtype).type
    assert values.dtype == dtype
    assert low is None or values.min() == kind(low)
    assert high is None or values.max() == kind(high)
    ends = sum(int((values == kind(end)).sum()) for end in (low, high) if end is not None)
    assert ends <= 4
    assert len(np.unique(values)) > 150


def test_a_single_element_is_an_end_in_the_first_two_turns():
    """Rows of one element show both ends between them, and then anything."""
    values = [int(drawn("int64", (1, 1), turn, turn, low=5, high=90)[0, 0]) for turn in range(8)]
    assert values[:2] == [5, 90]
    assert len(set(values)) > 4


def test_nothing_to_draw():
    """An empty shape has no room for the ends."""
    assert drawn("int64", (0, 3)).shape == (0, 3)


def test_clipped():
    """Values are moved to the nearest end; without a range they stay."""
    values = np.array([-2.0, 0.5, 9.0])
    assert clipped(TensorSpec((), low=0, high=1), values).tolist() == [0, 0.5, 1]
    assert clipped(TensorSpec((), low=0), values).tolist() == [0, 0.5, 9]
    assert clipped(TensorSpec(()), values) is values
