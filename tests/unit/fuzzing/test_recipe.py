"""A recipe is a line that makes the same feeds in any process."""

from dataclasses import replace

import numpy as np
import pytest

from pytest_infer.errors import OptionError
from pytest_infer.fuzzing.recipe import (
    LARGE,
    PHOTOGRAPHS,
    POISON,
    VALUES,
    Recipe,
    elements_of,
    example_of,
    possible_values,
    recipe_from_text,
)
from pytest_infer.models.source import Source
from pytest_infer.models.spec import Dim, ModelSpec, TensorSpec

SPEC = ModelSpec(
    name="reader",
    task="tensor",
    inputs={
        "image": TensorSpec(("batch", 3, "height")),
        "tokens": TensorSpec(("batch", "length"), "int64"),
    },
    outputs={"scores": TensorSpec(("batch", 2))},
    source=Source(module="reader"),
    dims={"batch": Dim(1, 2, 4), "height": Dim(4, 8, 16), "length": Dim(1, 5, 9)},
)
SIZES = (("batch", 3), ("height", 7), ("length", 2))
PHOTOGRAPH = np.arange(2 * 3 * 10, dtype=np.float32).reshape(2, 3, 10)


def image(values, **others):
    """Return the image of a recipe of 3 rows."""
    return Recipe(SIZES, values, **others).feeds(SPEC, {"image": PHOTOGRAPH})["image"]


def test_text_and_back():
    """The line holds all that the feeds are made of."""
    recipe = Recipe(SIZES, "large", "channels_last", 7)
    text = "batch=3,height=7,length=2,values=large,layout=channels_last,seed=7"
    assert str(recipe) == text
    assert recipe_from_text(text, SPEC) == recipe
    assert recipe_from_text("length=2,batch=3,height=7", SPEC) == Recipe(SIZES)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "batch=3,height=7",
            (
                "batch=3,height=7 is no recipe for reader\n  why:  it has no length\n"
                "  mend: write it as "
                "batch=1,height=4,length=1,values=normal,layout=contiguous,seed=0"
            ),
        ),
        (
            "batch=3,hight=7,length=1",
            (
                "unknown part of a recipe 'hight'\n"
                "  why:  valid choices: batch, height, layout, length, seed, values\n"
                "  mend: did you mean 'height'?"
            ),
        ),
        (
            "batch=3,height=7,length=1,values=norm",
            (
                f"unknown values 'norm'\n  why:  valid choices: {', '.join(sorted(VALUES))}\n"
                "  mend: did you mean 'normal'?"
            ),
        ),
        (
            "batch=-3,height=7,length=1",
            (
                "batch=-3 is not valid\n  why:  it takes a whole number of at most 18 digits\n"
                "  mend: write the recipe as "
                "batch=1,height=4,length=1,values=normal,layout=contiguous,seed=0"
            ),
        ),
    ],
)
def test_text_that_is_none(text, error):
    """What cannot be read is reported, with a line that can."""
    with pytest.raises(OptionError) as caught:
        recipe_from_text(text, SPEC)
    assert str(caught.value) == error


@pytest.mark.parametrize("values", VALUES)
def test_the_same_each_time(values):
    """Shapes and dtypes are the spec's; another seed gives other values, where any are drawn."""
    first, again = (Recipe(SIZES, values, seed=1).feeds(SPEC, {}) for _ in range(2))
    assert {name: feed.shape for name, feed in first.items()} == {
        "image": (3, 3, 7),
        "tokens": (3, 2),
    }
    assert {name: str(feed.dtype) for name, feed in first.items()} == {
        "image": "float32",
        "tokens": "int64",
    }
    for name, feed in first.items():
        np.testing.assert_array_equal(feed, again[name])
    is_drawn = values not in {"zeros", "ones"}
    assert (image(values, seed=1) != image(values, seed=2)).any() == is_drawn


def test_sizes_of_values():
    """Each kind is of the size that its name says; integers are all of 0, of 1, or of any size."""
    sizes = {values: float(np.abs(image(values)).max()) for values in VALUES[2:7]}
    assert sizes["ones"] == 1
    assert sizes["zeros"] == 0
    assert 0 < sizes["denormal"] < np.finfo(np.float32).tiny < sizes["tiny"] < 1e-18
    assert LARGE / 10 < sizes["large"] < LARGE * 10
    for values, ends in (("zeros", (0, 0)), ("ones", (1, 1)), ("normal", (-(2**63), 2**63 - 1))):
        tokens = Recipe(SIZES, values).feeds(SPEC, {})["tokens"]
        assert (tokens.min(), tokens.max()) == ends


@pytest.mark.parametrize("values", [each for each in VALUES if each != "photographs"])
def test_values_keep_to_the_range_that_is_stated(values):
    """Whatever the kind, nothing but poison is beyond it."""
    spec = replace(
        SPEC,
        inputs={
            "image": TensorSpec(("batch", 3, "height"), low=0.25, high=1),
            "tokens": TensorSpec(("batch", "length"), "int64", low=5, high=90),
        },
    )
    feeds = Recipe(SIZES, values).feeds(spec, {})
    image = feeds["image"][np.isfinite(feeds["image"])]
    assert (image.min() >= 0.25, image.max() <= 1) == (True, True)
    assert (feeds["tokens"].min() >= 5, feeds["tokens"].max() <= 90) == (True, True)
    if values == "normal":
        assert (image.min(), image.max()) == (0.25, 1)
        assert (feeds["tokens"].min(), feeds["tokens"].max()) == (5, 90)
    assert np.isfinite(feeds["image"]).all() == (values not in POISON)


@pytest.mark.parametrize(("values", "is_poison"), [("nan", np.isnan), ("infinity", np.isinf)])
def test_poison(values, is_poison):
    """One element of the last row is poisoned, and the other rows are to be judged."""
    found = image(values)
    assert is_poison(found).sum() == is_poison(found[-1]).sum() == 1
    rows = Recipe(SIZES, values).clean_rows
    assert np.isfinite(found[rows]).all()
    assert len(found[rows]) == 2
    assert len(found[Recipe(SIZES).clean_rows]) == 3


def test_photographs_are_cut_and_resized():
    """Every pixel is one of a photograph's, in its channel, in the order it had there."""
    found = image(PHOTOGRAPHS, seed=3)
    for row in found:
        source = next(each for each in PHOTOGRAPH if row[0][0] in each[0])
        for channel, pixels in zip(row, source, strict=True):
            assert set(channel.tolist()) <= set(pixels.tolist())
            assert (np.diff(channel) >= 0).all()


def test_broadcast_rows_are_equal():
    """A layout of one row in memory makes all rows that row."""
    found = image("normal", layout="broadcast")
    assert (found == found[:1]).all()


@pytest.mark.parametrize(
    ("precision", "has_photographs", "missing"),
    [
        ("fp32", True, set()),
        ("fp32", False, {PHOTOGRAPHS}),
        ("fp16", True, {"large"}),
        ("int8", True, set(VALUES) - {PHOTOGRAPHS}),
        ("int8", False, set(VALUES) - {"normal"}),
    ],
)
def test_possible_values(precision, has_photographs, missing):
    """A precision is held to what it promises."""
    found = possible_values(SPEC, precision, has_photographs=has_photographs)
    assert set(VALUES) - set(found) == missing


def test_no_poison_without_rows():
    """Where outputs have no rows, none of them could stay clean."""
    spec = ModelSpec("sum", "tensor", SPEC.inputs, {"sum": TensorSpec(())}, SPEC.source, SPEC.dims)
    assert not {"nan", "infinity"} & set(possible_values(spec, "fp32", has_photographs=True))


def test_elements():
    """All inputs count."""
    assert elements_of(SPEC, dict(SIZES)) == 3 * 3 * 7 + 3 * 2
    assert elements_of(SPEC, dict(example_of(SPEC).sizes)) == 12 + 1


def test_one_number_is_an_array_too():
    """An input without dimensions: an array of none, for whatever values."""
    spec = ModelSpec(
        "one", "tensor", {"scale": TensorSpec(()), "index": TensorSpec((), "int64")}, {},
        Source(module="one"), {},
    )  # fmt: skip
    for values in VALUES:
        if values not in {*POISON, "photographs"}:  # there are no rows to poison
            feeds = Recipe((), values=values).feeds(spec, {})
            assert {name: (feed.shape, feed.dtype.name) for name, feed in feeds.items()} == {
                "scale": ((), "float32"),
                "index": ((), "int64"),
            }
