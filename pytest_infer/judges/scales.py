"""Parts of an output whose slices along an axis differ in scale: boxes in pixels beside scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.judges.outputs import tiny
from pytest_infer.judges.tolerance import part_floor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.arrays import Array
    from pytest_infer.case import Precision


SPREAD = 8.0
"""Slices of a part are at most this factor apart in scale."""

LEAST_ELEMENTS = 4
"""A slice of which fewer elements count is large or small by its values, not by its scale."""

_SHOWN = 3
"""Runs of neighbours that a message names."""


@dataclass(frozen=True)
class Part:
    """Slices of like scale along one axis of an output."""

    axis: int
    members: tuple[int, ...]
    """The slices' indices, ascending."""
    scale: float
    """The root mean square of the largest slice."""

    def of(self, values: Array) -> Array:
        """Return a copy of the part of ``values``."""
        return np.take(values, self.members, axis=self.axis)

    def place(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return where in the whole output an element of the part is."""
        member = self.members[index[self.axis]]
        return (*index[: self.axis], member, *index[self.axis + 1 :])

    def __str__(self) -> str:
        runs = [_told(run) for run in _runs(self.members)]
        more = f" and {len(runs) - _SHOWN} more" if len(runs) > _SHOWN else ""
        return f"{', '.join(runs[:_SHOWN])}{more} of axis {self.axis} (scale {self.scale:.3g})"


def parts_of(reference: Array, precision: Precision) -> tuple[Part, ...]:
    """Return the parts of a floating output along each axis whose slices differ in scale.

    The first axis is the batch's and is never split. An axis of which all slices are of like scale
    yields nothing: the whole output is judged anyway.
    """
    largest = float(np.max(np.abs(reference), initial=0.0))
    if reference.dtype.kind != "f" or not 0 < largest < np.inf:
        return ()
    floor = max(part_floor(largest, precision), tiny(precision))
    squares = np.square(reference / largest, dtype=np.float64)
    scales = [_root_mean(squares, axis) for axis in range(reference.ndim)]
    weights = [carriers(each) for each in scales]
    return tuple(
        part
        for axis in range(1, reference.ndim)
        if math.prod(weights) / weights[axis] >= LEAST_ELEMENTS
        for part in _split(axis, largest * scales[axis], floor)
    )


def carriers(values: Array) -> float:
    """Return how many of ``values`` carry the sum of squares: all, if they are of one size.

    Source: Kish, Survey Sampling, 1965, the effective sample size, with the squares as weights.
    """
    largest = np.max(np.abs(values), initial=0.0)
    if not largest:
        return 0.0
    squares = np.square(values / largest)
    return float(np.sum(squares) ** 2 / np.sum(np.square(squares)))


def told_place(name: str, part: Part | None) -> str:
    """Return an output, or a part of it, in words."""
    return f"{name!r}" if part is None else f"{name!r} at {part}:"


def worst_element(name: str, actual: Array, expected: Array, part: Part | None = None) -> str:
    """Return which element of an output, or of a part of it, is off most, and both its values."""
    left, right = (each.astype(np.float64) for each in (actual, expected))
    seen = np.abs(left - right) if part is None else np.abs(part.of(left) - part.of(right))
    index = tuple(int(each) for each in np.unravel_index(int(np.argmax(seen)), seen.shape))
    place = index if part is None else part.place(index)
    return f"worst element {name}{list(place)}: {left[place]:.9g} instead of {right[place]:.9g}"


def _root_mean(squares: Array, axis: int) -> Array:
    others = tuple(each for each in range(squares.ndim) if each != axis)
    return np.asarray(np.sqrt(np.mean(squares, axis=others)))


def _split(axis: int, scales: Array, floor: float) -> Iterator[Part]:
    """Yield slices by scale: those near the largest, those near the largest of the rest, and on.

    What is below ``floor`` stays with the smallest slices that are not.
    """
    order = np.argsort(-scales, kind="stable")
    ranked = scales[order]
    starts = [0]
    while (start := _next_start(ranked, starts[-1])) < len(ranked) and ranked[start] >= floor:
        starts.append(start)
    if len(starts) == 1:
        return
    for start, end in pairwise([*starts, len(ranked)]):
        members = sorted(int(each) for each in order[start:end])
        yield Part(axis, tuple(members), float(ranked[start]))


def _next_start(ranked: Array, start: int) -> int:
    return int(np.searchsorted(-ranked, -ranked[start] / SPREAD, side="right"))


def _runs(members: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    breaks = [at for at, (one, two) in enumerate(pairwise(members), 1) if two != one + 1]
    for start, end in pairwise([0, *breaks, len(members)]):
        yield members[start], members[end - 1]


def _told(run: tuple[int, int]) -> str:
    first, last = run
    return str(first) if first == last else f"{first} to {last}"
