"""Which of several scores is the largest at each place: a pixel's class, a text's next token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.arrays import Array
from pytest_infer.case import Precision
from pytest_infer.judges.tolerance import (
    CEILING,
    FLOOR_ROUNDOFFS,
    LUCK_QUANTILE,
    MOST_EXPONENT,
    NOISE_FACTOR,
    UNIT_ROUNDOFF,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


LEAST_SIGMAS = 2.0
"""Eager's error of a gap between two scores is at least this many times its error of one score.

Of few places the largest error may be small by luck; that of all scores is not. The gap's own is
the root of 2 times as large, and the largest of a few is above it.
"""

TIE_ROUNDOFFS = 8.0
"""Scores that are nearer in the reference are equal: their order in fp64 is rounding, too."""


@dataclass(frozen=True)
class Change:
    """One place at which the engine chooses another than the reference does."""

    row: int
    place: tuple[int, ...]
    expected: int
    got: int
    margin: float
    """By how much the reference's score of ``expected`` exceeds that of ``got``."""


@dataclass(frozen=True)
class Chosen:
    """What one side makes of one row."""

    choices: Array
    """The index of the largest score at each place."""
    margins: Array
    """By how much the reference prefers its own choice, at each place; 0 where it is the same."""
    clusters: tuple[int, ...]
    """How many neighbouring places each patch of changes has, those that are ties left out."""


@dataclass(frozen=True)
class RowChoices:
    """One row's choices on all sides."""

    row: int
    reference: Array
    """The index of the largest score at each place."""
    lead: float
    """The largest margin between the two best scores of a place."""
    largest: float
    """The largest magnitude of a score."""
    actual: Chosen
    eager: Chosen | None
    gap_noise: float
    """Eager's largest error of the gap between two scores that decide; infinite without eager."""
    is_repeated: bool = False
    """An earlier row has the same choices, and is rounded alike."""

    def changes(self) -> Iterator[Change]:
        """Yield the places at which the engine chooses another."""
        for place in np.argwhere(self.actual.choices != self.reference):
            at = tuple(int(each) for each in place)
            expected, got = int(self.reference[at]), int(self.actual.choices[at])
            yield Change(self.row, at, expected, got, float(self.actual.margins[at]))


@dataclass(frozen=True)
class Choices:
    """The choices of all rows, and what rounding explains of their changes."""

    rows: Sequence[RowChoices]
    precision: Precision

    @property
    def places(self) -> int:
        """Return how many places there are."""
        return sum(each.reference.size for each in self.rows)

    @cached_property
    def margin(self) -> float:
        """Return how near two scores of the reference must be for their order to be rounding.

        `NOISE_FACTOR` times eager's error of such a gap, at most twice the precision's ceiling, and
        `FLOOR_ROUNDOFFS` of the largest score for each of the two.
        """
        largest = max(each.largest for each in self.rows)
        noise = max(each.gap_noise for each in self.rows)
        floor = FLOOR_ROUNDOFFS * UNIT_ROUNDOFF[self.precision] * largest
        capped = min(NOISE_FACTOR[self.precision] * noise, 2 * CEILING[self.precision] * largest)
        return capped + 2 * floor

    @property
    def lead(self) -> float:
        """Return the largest margin between the two best scores of a place."""
        return max(each.lead for each in self.rows)

    @cached_property
    def changed(self) -> int:
        """Return at how many places the engine chooses another."""
        return sum(int(np.sum(each.actual.choices != each.reference)) for each in self.rows)

    @property
    def share(self) -> float:
        """Return the share of places at which the engine chooses another."""
        return self.changed / self.places

    @cached_property
    def eager_share(self) -> float:
        """Return the share of places at which eager at the precision does, ties left out."""
        return sum(map(sum, self._clusters("eager"))) / self.places

    @cached_property
    def share_without_ties(self) -> float:
        """Return the share of places at which the engine does, ties left out."""
        return sum(map(sum, self._clusters("actual"))) / self.places

    @cached_property
    def allowed_share(self) -> float:
        """Return the share of places that may change; infinite where eager has too few to tell.

        Near-ties lie as densely at any small margin, so that changes are as many times eager's as
        errors are: `NOISE_FACTOR`, and by luck `luck_of_counts` more.
        """
        sides = [self._clusters(side) for side in ("actual", "eager")]
        patches = [_patches(side) for side in sides]
        if not all(patches):
            return math.inf
        return NOISE_FACTOR[self.precision] * self.eager_share * luck_of_counts(*patches)

    def _clusters(self, side: str) -> list[tuple[int, ...]]:
        found: list[Chosen | None] = [getattr(each, side) for each in self.rows]
        return [
            chosen.clusters
            for chosen, row in zip(found, self.rows, strict=True)
            if chosen and not row.is_repeated
        ]


def luck_of_counts(first: float, second: float) -> float:
    """Return how many times one count of alike patches is another by luck, once in a million.

    Each is a sum of Poisson counts, so the variance of its logarithm is one over its number of
    patches.
    """
    exponent = LUCK_QUANTILE * math.sqrt(1 / first + 1 / second)
    return math.exp(exponent) if exponent < MOST_EXPONENT else math.inf


def compare_choices(
    actual: Array, reference: Array, eager: Array | None, *, axis: int, precision: Precision
) -> Choices:
    """Return which of the scores along ``axis`` are the largest, row by row of the first axis.

    ``reference`` is in fp64; ``eager`` has its outputs at the precision. A row is of several
    places, or of one.
    """
    known = None if precision == "fp64" else eager
    rows: list[RowChoices] = []
    seen: set[bytes] = set()
    for number, (got, expected) in enumerate(zip(actual, reference, strict=True)):
        own = None if known is None else known[number].astype(np.float64)
        row = _row(number, got, expected, own, axis - 1)
        content = row.reference.tobytes()
        rows.append(replace(row, is_repeated=content in seen))
        seen.add(content)
    return Choices(rows, precision)


def _row(
    number: int, actual: Array, reference: Array, eager: Array | None, axis: int
) -> RowChoices:
    exact = reference.astype(np.float64)
    best = np.argmax(exact, axis=axis)
    largest = float(np.max(np.abs(exact)))
    second = _second(exact, best, axis)
    tie = TIE_ROUNDOFFS * UNIT_ROUNDOFF["fp64"] * largest
    return RowChoices(
        row=number,
        reference=best,
        lead=float(np.max(_at(exact, best, axis) - _at(exact, second, axis))),
        largest=largest,
        actual=_chosen(actual, exact, best, axis, tie),
        eager=None if eager is None else _chosen(eager, exact, best, axis, tie),
        gap_noise=math.inf if eager is None else _gap_noise(eager, exact, best, second, axis),
    )


def _chosen(values: Array, exact: Array, best: Array, axis: int, tie: float) -> Chosen:
    choices = np.argmax(values, axis=axis)
    margins = _at(exact, best, axis) - _at(exact, choices, axis)
    return Chosen(choices, margins, _cluster_sizes((choices != best) & (margins > tie)))


def _gap_noise(eager: Array, exact: Array, best: Array, second: Array, axis: int) -> float:
    """Return eager's largest error of a gap: best to second best, and best to what it chose."""
    errors = eager - exact
    own = np.argmax(eager, axis=axis)
    gaps = [
        np.abs(_at(errors, best, axis) - _at(errors, other, axis)).max() for other in (second, own)
    ]
    usual = LEAST_SIGMAS * math.sqrt(float(np.mean(np.square(errors))))
    return max(*map(float, gaps), usual)


def _second(exact: Array, best: Array, axis: int) -> Array:
    masked = exact.copy()
    np.put_along_axis(masked, np.expand_dims(best, axis), -np.inf, axis)
    second: Array = np.argmax(masked, axis=axis)
    return second


def _at(values: Array, indices: Array, axis: int) -> Array:
    taken: Array = np.take_along_axis(values, np.expand_dims(indices, axis), axis).squeeze(axis)
    return taken


def _cluster_sizes(changed: Array) -> tuple[int, ...]:
    """Return the size of each patch of neighbours, corners included."""
    from scipy.ndimage import generate_binary_structure, label

    if not changed.any():
        return ()
    if not changed.ndim:
        return (1,)
    near = generate_binary_structure(changed.ndim, changed.ndim)
    patches, _ = label(changed, near)
    return tuple(int(size) for size in np.bincount(patches.ravel())[1:])


def _patches(clusters: list[tuple[int, ...]]) -> float:
    """Return how many patches carry the changes (Kish's effective sample size)."""
    sizes = np.array([size for row in clusters for size in row], np.float64)
    return float(sizes.sum() ** 2 / np.square(sizes).sum()) if sizes.size else 0.0
