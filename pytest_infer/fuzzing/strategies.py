"""Hypothesis's strategies for what a model may be fed, made of its spec.

Each is an ordinary strategy, for your own ``@given``:

    @given(strategies.feeds(SPEC))
    def test_mine(feeds): ...

They shrink to a small batch first, then to small sides in the order of the spec's dimensions, then
to plain values in a plain layout. hypothesis is imported when one of them is called.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.arrays import Arrays
from pytest_infer.errors import OptionError
from pytest_infer.fuzzing.profiles import PROFILES
from pytest_infer.fuzzing.recipe import (
    Recipe,
    by_importance,
    elements_of,
    example_of,
    possible_values,
)
from pytest_infer.hosts.memory_layout import LAYOUTS, arranged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hypothesis.database import ExampleDatabase
    from hypothesis.strategies import DrawFn, SearchStrategy

    from pytest_infer.case import Precision
    from pytest_infer.models.spec import ModelSpec

MAX_ELEMENTS = 3 * 224 * 224
"""Elements that all inputs have together, unless another bound is given: one photograph."""

SEEDS = 1 << 16

TRIES = 100
"""How often to draw for each of a few shapes before all there are must have been found."""


@dataclass(frozen=True)
class WrongFeeds:
    """Feeds that no engine may compute with, and what is wrong with them."""

    fault: str
    feeds: Arrays


def shapes(spec: ModelSpec, *, max_elements: int = MAX_ELEMENTS) -> SearchStrategy[dict[str, int]]:
    """Return the strategy of a size for each dynamic dimension, within bounds and multiples.

    All inputs together have at most ``max_elements`` elements, or those of the least shape.
    """
    strategies = _hypothesis("strategies.shapes")

    @strategies.composite  # type: ignore[untyped-decorator]
    def drawn(draw: DrawFn) -> dict[str, int]:
        sizes = {name: dim.min for name, dim in spec.dims.items()}
        for name in by_importance(spec):
            last = _fitting(spec, sizes, name, max_elements) - 1
            sizes[name] = spec.dims[name].sizes[draw(strategies.integers(0, max(last, 0)))]
        return sizes

    found: SearchStrategy[dict[str, int]] = drawn()
    return found


def recipes(
    spec: ModelSpec,
    *,
    precision: Precision = "fp32",
    has_photographs: bool = False,
    values: Sequence[str] = (),
    layouts: Sequence[str] = LAYOUTS,
    few: Sequence[dict[str, int]] = (),
    max_elements: int = MAX_ELEMENTS,
) -> SearchStrategy[Recipe]:
    """Return the strategy of `Recipe`: sizes, values and layout, of which feeds can be made again.

    ``values`` are those for which ``precision`` promises anything, unless they are named; sizes are
    `shapes`, unless a ``few`` are named.
    """
    strategies = _hypothesis("strategies.recipes")
    kinds = tuple(values) or possible_values(spec, precision, has_photographs=has_photographs)
    chosen = strategies.sampled_from(few) if few else shapes(spec, max_elements=max_elements)

    def made(parts: tuple[dict[str, int], str, str, int]) -> Recipe:
        found, kind, layout, seed = parts
        return Recipe(tuple((name, found[name]) for name in spec.dims), kind, layout, seed)

    parts = strategies.tuples(
        chosen,
        strategies.sampled_from(kinds),
        strategies.sampled_from(tuple(layouts)),
        strategies.integers(0, SEEDS - 1),
    )
    found: SearchStrategy[Recipe] = parts.map(made).filter(lambda recipe: recipe.makes_sense)
    return found


def feeds(
    spec: ModelSpec, *, photographs: Arrays | None = None, max_elements: int = MAX_ELEMENTS
) -> SearchStrategy[Arrays]:
    """Return the strategy of named inputs, arranged in memory in all sorts of ways.

    ``photographs`` are feeds of the model's own, out of which others are cut.
    """
    chosen = recipes(spec, has_photographs=photographs is not None, max_elements=max_elements)

    def made(recipe: Recipe) -> Arrays:
        return arranged(recipe.feeds(spec, photographs or {}), recipe.layout)

    return chosen.map(made)


def wrong_feeds(spec: ModelSpec) -> SearchStrategy[WrongFeeds]:
    """Return the strategy of feeds that must be refused before an engine computes with them."""
    strategies = _hypothesis("strategies.wrong_feeds")
    found: SearchStrategy[WrongFeeds] = strategies.sampled_from(wrong_kinds(spec))
    return found


def wrong_kinds(spec: ModelSpec) -> tuple[WrongFeeds, ...]:
    """Return one of every kind of feeds that must be refused."""
    return tuple(_wrong(spec))


def register_profiles() -> None:
    """Register hypothesis's profiles `PROFILES`, but for names that are registered already."""
    _hypothesis("profiles")
    from hypothesis import settings

    missing = [name for name in PROFILES if not _is_registered(name)]
    for name in missing:
        settings.register_profile(
            name, deadline=None, max_examples=PROFILES[name], derandomize=name == "ci"
        )


def database_of(name: str, database: ExampleDatabase | None) -> ExampleDatabase | None:
    """Return the part of hypothesis's database that is for ``name``.

    One function searches for every case, and would take one's failures for another's.
    """
    if database is None:
        return None
    from hypothesis.database import ExampleDatabase

    whole, mark = database, name.encode() + b"/"

    class Part(ExampleDatabase):
        def save(self, key: bytes, value: bytes) -> None:
            whole.save(mark + key, value)

        def fetch(self, key: bytes) -> Iterable[bytes]:
            return whole.fetch(mark + key)

        def delete(self, key: bytes, value: bytes) -> None:
            whole.delete(mark + key, value)

    return Part()


def few_shapes(
    spec: ModelSpec, number: int, *, max_elements: int = MAX_ELEMENTS
) -> tuple[dict[str, int], ...]:
    """Return the least shape and others drawn from a fixed seed, for engines built for one each."""
    random = np.random.default_rng(0)
    found = [dict(example_of(spec).sizes)]
    for _ in range(TRIES * number):
        sizes = dict(example_of(spec).sizes)
        for name in by_importance(spec):
            fitting = max(_fitting(spec, sizes, name, max_elements), 1)
            sizes[name] = spec.dims[name].sizes[int(random.integers(fitting))]
        if sizes not in found:
            found.append(sizes)
        if len(found) >= number:
            break
    return tuple(found[:number])


def _wrong(spec: ModelSpec) -> Iterator[WrongFeeds]:
    """Yield every kind of wrong feeds, each one step away from those of the least shape."""
    least = example_of(spec)
    right = least.feeds(spec, {})
    for name, tensor in spec.inputs.items():
        feed, others = right[name], {each: right[each] for each in right if each != name}
        yield WrongFeeds(f"no {name}", others)
        yield WrongFeeds(f"{name} by another name", {**others, f"{name}_0": feed})
        dtype = "float64" if tensor.dtype != "float64" else "float32"
        yield WrongFeeds(f"{name} as {dtype}", {**right, name: feed.astype(dtype)})
        small = "uint8" if tensor.dtype != "uint8" else "int8"
        yield WrongFeeds(f"{name} as {small}", {**right, name: np.ones(feed.shape, small)})
        yield WrongFeeds(f"{name} with one more axis", {**right, name: feed[None]})
        if feed.ndim:
            yield WrongFeeds(f"{name} with one axis less", {**right, name: feed[0]})
        for axis, dim in enumerate(tensor.shape):
            if not isinstance(dim, str):
                longer = np.concatenate([feed, np.take(feed, [0], axis)], axis)
                yield WrongFeeds(f"{name} with {dim + 1} instead of {dim}", {**right, name: longer})
    for dim, size in _wrong_sizes(spec):
        sizes = tuple({**dict(least.sizes), dim: size}.items())
        yield WrongFeeds(f"{dim} of {size}", Recipe(sizes).feeds(spec, {}))


def _wrong_sizes(spec: ModelSpec) -> Iterator[tuple[str, int]]:
    for name, dim in spec.dims.items():
        found = {0, dim.min - 1, dim.min + 1, dim.max + dim.multiple} - set(dim.sizes)
        yield from ((name, size) for size in sorted(found) if size >= 0)


def _fitting(spec: ModelSpec, sizes: Mapping[str, int], name: str, max_elements: int) -> int:
    """Return how many sizes of a dimension, from its least on, keep within ``max_elements``."""
    return bisect_right(
        spec.dims[name].sizes,
        max_elements,
        key=lambda size: elements_of(spec, {**sizes, name: size}),
    )


def _is_registered(name: str) -> bool:
    from hypothesis import settings
    from hypothesis.errors import InvalidArgument

    try:
        settings.get_profile(name)
    except InvalidArgument:
        return False
    return True


def _hypothesis(what: str) -> Any:
    if find_spec("hypothesis") is None:
        raise OptionError(
            f"cannot use {what}",
            why="hypothesis, which draws and shrinks shapes, is not installed",
            mend="pip install 'pytest-infer[test]'",
        )
    from hypothesis import strategies

    return strategies
