"""Layouts change strides and no value."""

import numpy as np
import pytest

from pytest_infer.hosts.memory_layout import LAYOUTS, arranged

FEED = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)


@pytest.mark.parametrize("layout", [each for each in LAYOUTS if each != "broadcast"])
@pytest.mark.parametrize("feed", [FEED, FEED[0, 0], FEED[0, 0, 0], FEED.astype(np.int64)])
def test_values_stay(layout, feed):
    """Whatever lies between them in memory."""
    (found,) = arranged({"x": feed}, layout).values()
    assert found.dtype == feed.dtype
    np.testing.assert_array_equal(found, feed)


@pytest.mark.parametrize(
    ("layout", "strides", "is_contiguous"),
    [
        ("contiguous", (240, 80, 20, 4), True),
        ("offset", (240, 80, 20, 4), True),
        ("every_second", (480, 160, 40, 8), False),
        ("channels_last", (240, 4, 60, 12), False),
        ("transposed", (4, 8, 24, 96), False),
        ("broadcast", (0, 80, 20, 4), False),
    ],
)
def test_strides(layout, strides, is_contiguous):
    """Each lies in memory as it is called."""
    (found,) = arranged({"x": FEED}, layout).values()
    assert found.strides == strides
    assert found.flags.c_contiguous == is_contiguous


def test_broadcast():
    """One row is seen as all of them."""
    (found,) = arranged({"x": FEED}, "broadcast").values()
    np.testing.assert_array_equal(found, np.repeat(FEED[:1], 2, 0))


def test_junk_around():
    """What reads the memory as if it were contiguous meets NaN."""
    for layout in ("offset", "every_second"):
        (found,) = arranged({"x": FEED}, layout).values()
        assert np.isnan(found.base).any()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_single_value(layout):
    """What has no axis lies in one way only."""
    (found,) = arranged({"x": np.array(3.0)}, layout).values()
    assert (found.shape, float(found)) == ((), 3.0)
