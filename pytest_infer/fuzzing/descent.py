"""Make a wrong recipe smaller, size by size: hypothesis's shrinking ends where a step is too far.

It halves and subtracts, and so stops at 180 if only multiples of 5 are wrong.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from pytest_infer.fuzzing.recipe import by_importance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_infer.fuzzing.recipe import Recipe
    from pytest_infer.models.spec import ModelSpec

TRIES = 100
"""Of the least sizes of each dimension: enough for what recurs every 64 sizes."""


def smaller(recipe: Recipe, spec: ModelSpec, is_wrong: Callable[[Recipe], bool]) -> Recipe:
    """Return the recipe with each size as small as it can be and still be wrong, the batch first.

    Of each dimension the `TRIES` least sizes are tried, from the least up.
    """
    for name in by_importance(spec):
        fewer = (each for each in _with_less(recipe, spec, name) if each.makes_sense)
        recipe = next(filter(is_wrong, islice(fewer, TRIES)), recipe)
    return recipe


def _with_less(recipe: Recipe, spec: ModelSpec, name: str) -> Iterator[Recipe]:
    sizes = dict(recipe.sizes)
    for size in spec.dims[name].sizes:
        if size >= sizes[name]:
            return
        yield replace(recipe, sizes=tuple((sizes | {name: size}).items()))
