"""What is drawn is within the spec, and shrinks to the smallest."""

import sys

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis.database import InMemoryExampleDatabase

from pytest_infer.engines.feed_check import check_feeds
from pytest_infer.engines.protocol import BuildRequest
from pytest_infer.errors import OptionError, RunError
from pytest_infer.fuzzing import strategies
from pytest_infer.fuzzing.profiles import PROFILES
from pytest_infer.fuzzing.recipe import POISON, Recipe, elements_of
from pytest_infer.models.source import Source
from pytest_infer.models.spec import Dim, ModelSpec, TensorSpec
from tests.unit.fuzzing.spec_of_sides import SPEC

REQUEST = BuildRequest("fp32", "cpu", SPEC.input_shapes(1))
MAX_ELEMENTS = 100_000
QUICK = settings(max_examples=60)


def least(condition, **options):
    """Return the smallest recipe of which a condition is true.

    Without a database: hypothesis would take one parameter's examples for another's.
    """
    chosen = settings(max_examples=400, database=None)
    return find(strategies.recipes(SPEC, **options), condition, settings=chosen)


@QUICK
@given(strategies.shapes(SPEC, max_elements=MAX_ELEMENTS))
def test_shapes(sizes):
    """Bounds, multiples and the number of elements are kept."""
    assert sizes.keys() == SPEC.dims.keys()
    assert all(sizes[name] in dim.sizes for name, dim in SPEC.dims.items())
    assert elements_of(SPEC, sizes) <= MAX_ELEMENTS


def test_least_shape_is_always_possible():
    """A bound on the elements that nothing keeps leaves the least shape."""
    assert find(strategies.shapes(SPEC, max_elements=1), lambda _: True) == {
        "height": 33,
        "batch": 1,
        "width": 32,
    }


@QUICK
@given(strategies.feeds(SPEC, max_elements=MAX_ELEMENTS))
def test_feeds_are_ones_that_an_engine_takes(feeds):
    """Whatever is drawn passes the check that an engine's host makes."""
    check_feeds(SPEC, REQUEST, feeds)


@QUICK
@given(strategies.recipes(SPEC))
def test_recipes_make_sense(recipe):
    """A poisoned row is not alone, and a broadcast one neither alone nor poisoned."""
    if recipe.values in POISON or recipe.layout == "broadcast":
        assert recipe.rows > 1
    assert not (recipe.values in POISON and recipe.layout == "broadcast")


@pytest.mark.parametrize(
    ("condition", "sizes"),
    [
        (bool, (33, 1, 32)),
        (lambda sizes: sizes["batch"] > 1, (33, 2, 32)),
        (lambda sizes: sizes["height"] % 2 == 0, (34, 1, 32)),
        (lambda sizes: sizes["height"] > 100 and sizes["width"] > 64, (101, 1, 96)),
    ],
)
def test_shrinks_to_the_smallest_shape(condition, sizes):
    """A small batch first, then small sides, plain values and a plain layout."""
    found = least(lambda recipe: condition(dict(recipe.sizes)))
    assert found == Recipe(tuple(zip(SPEC.dims, sizes, strict=True)))


@pytest.mark.parametrize("values", ["large", "nan", "denormal"])
def test_shrinks_to_the_values_that_matter(values):
    """What is wrong for some values alone keeps them, and everything else is the least."""
    found = least(lambda recipe: recipe.values == values)
    batch = 2 if values in POISON else 1
    assert dict(found.sizes) == {"height": 33, "batch": batch, "width": 32}
    assert (found.layout, found.seed) == ("contiguous", 0)


@QUICK
@given(strategies.wrong_feeds(SPEC))
def test_wrong_feeds_are_refused(wrong):
    """Each kind of wrong feeds is one that the check refuses."""
    with pytest.raises(RunError, match="cannot feed"):
        check_feeds(SPEC, REQUEST, wrong.feeds)


def test_kinds_of_wrong_feeds():
    """Names, types, ranks, fixed sizes, bounds, zero and multiples."""
    assert [wrong.fault for wrong in strategies.wrong_kinds(SPEC)] == [
        "no image",
        "image by another name",
        "image as float64",
        "image as uint8",
        "image with one more axis",
        "image with one axis less",
        "image with 4 instead of 3",
        "height of 0",
        "height of 32",
        "height of 321",
        "batch of 0",
        "batch of 9",
        "width of 0",
        "width of 31",
        "width of 33",
        "width of 352",
    ]


def test_few_shapes():
    """The least one is first; all differ, fit, and are the same in every process."""
    few = strategies.few_shapes(SPEC, 4)
    assert few[0] == {"height": 33, "batch": 1, "width": 32}
    assert len({tuple(sizes.items()) for sizes in few}) == 4
    assert all(elements_of(SPEC, sizes) <= strategies.MAX_ELEMENTS for sizes in few)
    assert few == strategies.few_shapes(SPEC, 4)


def test_fewer_shapes_than_asked_for():
    """A spec that has but two shapes gives both."""
    spec = ModelSpec(
        "two", "tensor", {"x": TensorSpec(("n",))}, {}, Source(module="two"), {"n": Dim(1, 1, 2)}
    )
    assert strategies.few_shapes(spec, 9) == ({"n": 1}, {"n": 2})


def test_sequence_lengths():
    """Two inputs that share a dimension get one size of it."""
    spec = ModelSpec(
        "reader",
        "tensor",
        {
            "tokens": TensorSpec(("batch", "length"), "int64", low=0, high=9),
            "mask": TensorSpec(("batch", "length"), "bool"),
        },
        {},
        Source(module="reader"),
        {"batch": Dim(1, 1, 2), "length": Dim(1, 8, 16)},
    )

    @QUICK
    @given(strategies.feeds(spec))
    def test(feeds):
        assert feeds["tokens"].shape == feeds["mask"].shape
        assert np.isin(feeds["tokens"], range(10)).all()

    test()


def test_database_has_a_part_for_each_name():
    """What is saved for one case is not found for another."""
    whole = InMemoryExampleDatabase()
    first, second = (strategies.database_of(name, whole) for name in "ab")
    first.save(b"key", b"example")
    assert set(first.fetch(b"key")) == {b"example"}
    assert set(second.fetch(b"key")) == set()
    first.delete(b"key", b"example")
    assert set(first.fetch(b"key")) == set()
    assert strategies.database_of("a", None) is None


def test_profiles():
    """All three are there, without deadlines; ci draws the same examples each time."""
    strategies.register_profiles()
    found = {name: settings.get_profile(name) for name in PROFILES}
    assert {name: profile.deadline for name, profile in found.items()} == dict.fromkeys(found)
    assert set(found) == set(PROFILES)
    assert [name for name, profile in found.items() if profile.derandomize] == ["ci"]
    assert found["deep"].max_examples == 1000


def test_without_hypothesis(monkeypatch):
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.setattr(strategies, "find_spec", lambda _: None)
    with pytest.raises(OptionError) as caught:
        strategies.shapes(SPEC)
    assert str(caught.value) == (
        "cannot use strategies.shapes\n"
        "  why:  hypothesis, which draws and shrinks shapes, is not installed\n"
        "  mend: pip install 'pytest-infer[test]'"
    )
