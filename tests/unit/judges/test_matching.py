"""The order of a detector's queries, which says nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.judges.matching import in_order

DRAW = np.random.default_rng(0)
OUTPUTS = {"logits": DRAW.standard_normal((2, 5, 3)), "boxes": DRAW.uniform(0, 1, (2, 5, 4))}


@given(st.permutations(range(5)), st.permutations(range(5)))
def test_any_order_is_put_right(first, second):
    """Queries that are permuted per row, all outputs alike, come back in the reference's order."""
    orders = np.array([first, second])[..., None]
    shuffled = {name: np.take_along_axis(each, orders, 1) for name, each in OUTPUTS.items()}
    for name, values in in_order(shuffled, OUTPUTS).items():
        np.testing.assert_array_equal(values, OUTPUTS[name])


def test_outputs_are_never_torn_apart():
    """One output permuted without the other is wrong in any order."""
    torn = {**OUTPUTS, "boxes": OUTPUTS["boxes"][:, ::-1]}
    again = in_order(torn, OUTPUTS)
    assert any((again[name] != OUTPUTS[name]).any() for name in OUTPUTS)


@pytest.mark.parametrize(
    "outputs",
    [
        {"logits": OUTPUTS["logits"][:, :4], "boxes": OUTPUTS["boxes"]},
        {"logits": OUTPUTS["logits"]},
        {"logits": np.full((2, 5, 3), np.nan), "boxes": OUTPUTS["boxes"]},
    ],
)
def test_what_cannot_be_matched_stays(outputs):
    """Other shapes, other names and NaN are left to the judge."""
    assert in_order(outputs, OUTPUTS) == outputs


@pytest.mark.parametrize(
    ("shapes", "are_queries"),
    [
        ({"logits": (2, 5, 3), "boxes": (2, 5, 4)}, True),
        ({"logits": (2, 5, 3), "masks": (2, 5, 6, 7)}, True),
        ({"found": (2, 300, 6)}, True),
        ({"found": (2, 84, 8400)}, False),  # values of anchors
        ({"found": (2, 2049, 6)}, False),  # too many to be a set
        ({"large": (2, 255, 8, 8), "small": (2, 255, 4, 4)}, False),  # maps of heads
        ({"logits": (2, 5, 3), "boxes": (2, 6, 4)}, False),
    ],
)
def test_what_is_a_set_of_queries(shapes, are_queries):
    """Only the order of a set is free: that of channels and of an anchor's values is not."""
    expected = {name: DRAW.standard_normal(shape) for name, shape in shapes.items()}
    actual = {name: values[:, ::-1] for name, values in expected.items()}
    again = in_order(actual, expected)
    is_put_right = all((again[name] == expected[name]).all() for name in expected)
    assert is_put_right == are_queries
