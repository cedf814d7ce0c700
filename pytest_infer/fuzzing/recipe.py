"""What one fuzzed inference is fed: sizes, values and layout, as a line that makes it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.bounds import number_from_text
from pytest_infer.errors import OptionError, unknown
from pytest_infer.hosts.memory_layout import BROADCAST, CONTIGUOUS, LAYOUTS
from pytest_infer.models.drawn_values import clipped, draw
from pytest_infer.models.spec import BATCH
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import Precision
    from pytest_infer.models.spec import ModelSpec, TensorSpec


LARGE = 1e5
"""Beyond what fp16 holds, 65504."""

TINY = 1e-20
"""A normal number of fp32; its square is none."""

DENORMAL = 1e-40
"""Below fp32's smallest normal number."""

PHOTOGRAPHS = "photographs"
POISON: Mapping[str, float] = {"nan": np.nan, "infinity": np.inf}
"""Values of one element of the last row, which must not reach the others."""

VALUES = ("normal", PHOTOGRAPHS, "ones", "zeros", "tiny", "denormal", "large", *POISON)
"""From the plainest on."""

_SEPARATOR = ","


@dataclass(frozen=True)
class Recipe:
    """The sizes of a spec's dimensions, and what the arrays hold and how they lie in memory."""

    sizes: tuple[tuple[str, int], ...]
    values: str = VALUES[0]
    layout: str = CONTIGUOUS
    seed: int = 0

    def __str__(self) -> str:
        """Return the line of which `recipe_from_text` makes the recipe again."""
        fields = (
            *self.sizes,
            ("values", self.values),
            ("layout", self.layout),
            ("seed", self.seed),
        )
        return _SEPARATOR.join(f"{name}={value}" for name, value in fields)

    @property
    def rows(self) -> int:
        """Return the batch; 1 for a spec without one."""
        return dict(self.sizes).get(BATCH, 1)

    @property
    def makes_sense(self) -> bool:
        """Return whether there are rows beside a poisoned one, and rows to be one in memory."""
        is_poisoned, is_broadcast = self.values in POISON, self.layout == BROADCAST
        return not (is_poisoned and is_broadcast) and (
            self.rows > 1 or not (is_poisoned or is_broadcast)
        )

    @property
    def clean_rows(self) -> slice:
        """Return the rows in which no NaN or infinity was planted."""
        return slice(None, -1 if self.values in POISON else None)

    def feeds(self, spec: ModelSpec, photographs: Arrays) -> Arrays:
        """Return the named inputs.

        ``photographs`` are feeds of the model's own, whatever their sizes: what is asked for is
        cut out of them and resized to the nearest pixels. Values keep within the range that the
        spec states; integers cover it, or else their dtype, unless they are ones or zeros.
        """
        feeds = {
            name: self._feed(tensor, number, photographs.get(name))
            for number, (name, tensor) in enumerate(spec.inputs.items())
        }
        if self.layout == BROADCAST:
            return {
                name: np.repeat(feed[:1], len(feed), 0) if feed.ndim else feed
                for name, feed in feeds.items()
            }
        return feeds

    def _feed(self, tensor: TensorSpec, number: int, photographs: Array | None) -> Array:
        shape = tensor.resolved(dict(self.sizes))
        random = np.random.default_rng([self.seed, number])
        if self.values == PHOTOGRAPHS and photographs is not None:
            return _cut(photographs, shape, random).astype(tensor.dtype)
        if self.values not in (_DRAWERS if tensor.is_floating else _CONSTANTS):
            feed = draw(tensor, shape, random, turn=self.seed)
        else:
            feed = clipped(tensor, _DRAWERS[self.values](random, shape))
        if self.values in POISON and tensor.is_floating:
            place = [int(random.integers(size)) for size in shape[1:]]
            feed[(-1, *place)] = POISON[self.values]
        return feed.astype(tensor.dtype)


def recipe_from_text(text: str, spec: ModelSpec) -> Recipe:
    """Return the recipe whose line ``text`` is; raise `OptionError` for what makes no sense."""
    fields = dict(part.partition("=")[::2] for part in text.split(_SEPARATOR))
    wanted = (*spec.dims, "values", "layout", "seed")
    for name in fields:
        if name not in wanted:
            raise unknown("part of a recipe", name, wanted)
    if missing := [name for name in spec.dims if name not in fields]:
        raise OptionError(
            f"{shown(text)} is no recipe for {spec.name}",
            why=f"it has no {', '.join(missing)}",
            mend=f"write it as {example_of(spec)}",
        )
    for name, choices in (("values", VALUES), ("layout", LAYOUTS)):
        if fields.get(name, choices[0]) not in choices:
            raise unknown(name, fields[name], choices)
    numbers = {name: fields[name] for name in (*spec.dims, "seed") if name in fields}
    for name, value in numbers.items():
        if number_from_text(value) is None:
            raise OptionError(
                f"{name}={shown(value)} is not valid",
                why="it takes a whole number of at most 18 digits",
                mend=f"write the recipe as {example_of(spec)}",
            )
    return Recipe(
        tuple((name, int(fields[name])) for name in spec.dims),
        fields.get("values", VALUES[0]),
        fields.get("layout", CONTIGUOUS),
        int(fields.get("seed", 0)),
    )


def example_of(spec: ModelSpec) -> Recipe:
    """Return the recipe of the least shape."""
    return Recipe(tuple((name, dim.min) for name, dim in spec.dims.items()))


def by_importance(spec: ModelSpec) -> list[str]:
    """Return the dimensions, the batch first: what is drawn first is shrunk first."""
    return sorted(spec.dims, key=lambda name: name != BATCH)


def elements_of(spec: ModelSpec, sizes: Mapping[str, int]) -> int:
    """Return how many elements all inputs have together."""
    shapes = (tensor.resolved(sizes) for tensor in spec.inputs.values())
    return sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes)


def possible_values(
    spec: ModelSpec, precision: Precision, *, has_photographs: bool
) -> tuple[str, ...]:
    """Return the values for which ``precision`` promises anything.

    int8 has scales for photographs, or for whatever it was calibrated on; fp16 ends before
    `LARGE`. A poisoned row shows something only where outputs have rows.
    """
    if precision == "int8":
        return (PHOTOGRAPHS if has_photographs else VALUES[0],)
    tensors = (*spec.inputs.values(), *spec.outputs.values())
    has_rows = BATCH in spec.dims and all(tensor.shape[:1] == (BATCH,) for tensor in tensors)
    excluded = {
        PHOTOGRAPHS: not has_photographs,
        "large": precision == "fp16",
        **dict.fromkeys(POISON, not has_rows),
    }
    return tuple(name for name in VALUES if not excluded.get(name))


def _cut(photographs: Array, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Return a part of photographs chosen by chance, its pixels repeated or left out to fit."""
    first = int(random.integers(len(photographs)))
    indices = [(first + np.arange(shape[0])) % len(photographs)]
    for wanted, there in zip(shape[1:], photographs.shape[1:], strict=True):
        if wanted == there:
            indices.append(np.arange(there))
            continue
        part = int(random.integers(max(there // 2, 1), there + 1))
        start = int(random.integers(there - part + 1))
        indices.append(start + np.arange(wanted) * part // wanted)
    return photographs[np.ix_(*indices)]


def _scaled(size: float) -> Callable[[np.random.Generator, tuple[int, ...]], Array]:
    return lambda random, shape: size * random.standard_normal(shape)


_CONSTANTS = ("ones", "zeros")
"""What integers can be, too."""

_DRAWERS: Mapping[str, Callable[[np.random.Generator, tuple[int, ...]], Array]] = {
    "ones": lambda _, shape: np.ones(shape),
    "zeros": lambda _, shape: np.zeros(shape),
    "tiny": _scaled(TINY),
    "denormal": _scaled(DENORMAL),
    "large": _scaled(LARGE),
}
