"""A wrong recipe becomes smaller where hypothesis's steps are too long."""

import pytest

from pytest_infer.fuzzing.descent import TRIES, smaller
from pytest_infer.fuzzing.recipe import Recipe
from tests.unit.fuzzing.spec_of_sides import SPEC

LARGE = (("height", 180), ("batch", 5), ("width", 96))


@pytest.mark.parametrize(
    ("is_wrong", "least"),
    [
        (lambda sizes: sizes["height"] % 5 == 0 and sizes["batch"] > 2, (35, 3, 32)),
        (lambda sizes: sizes["height"] % 2 == 0, (34, 1, 32)),
        (lambda sizes: sizes["width"] == 96, (33, 1, 96)),
        (lambda sizes: sizes["height"] == 180, (180, 1, 32)),
    ],
)
def test_each_size_is_the_least(is_wrong, least):
    """The batch first, then each side; what is wrong at this size alone keeps it."""
    found = smaller(Recipe(LARGE), SPEC, lambda recipe: is_wrong(dict(recipe.sizes)))
    assert tuple(dict(found.sizes).values()) == least


def test_tries_are_bounded():
    """Of each dimension some least sizes are tried, and no more."""
    tried = []
    smaller(Recipe(LARGE), SPEC, tried.append)
    heights = {dict(recipe.sizes)["height"] for recipe in tried}
    assert heights == {*range(33, 33 + TRIES), 180}


def test_what_makes_no_sense_is_not_tried():
    """A broadcast row needs another one beside it."""
    found = smaller(Recipe(LARGE, layout="broadcast"), SPEC, lambda _: True)
    assert dict(found.sizes) == {"height": 33, "batch": 2, "width": 32}
