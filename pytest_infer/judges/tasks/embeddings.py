"""Embeddings: the direction of every row, and which rows are near to each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.judges.rows import LEAST_ELEMENTS
from pytest_infer.judges.tasks.registry import task
from pytest_infer.judges.tolerance import (
    CEILING,
    FLOOR_ROUNDOFFS,
    NOISE_FACTOR,
    UNIT_ROUNDOFF,
    derived_bound,
    luck_of,
    mark_from_bounds,
    rounded_bound,
)

if TYPE_CHECKING:
    from pytest_infer.arrays import Array
    from pytest_infer.case import Precision
    from pytest_infer.judges.judged_rows import JudgedRows, Side
    from pytest_infer.verdict import Verdict

_AXES = 2
_LEAST_ROWS = 3
"""With fewer rows no row has two others to put into an order."""

_SHOWN = 6


@task()
def embeddings(rows: JudgedRows) -> Verdict:
    """Judge the rows (rows, values) of the first output by their angles.

    Each row's angle to the reference's is held to `derived_bound` of eager's own, for the angle is
    the relative L2 of what is across; ``tolerance.cosine`` replaces that. Seen from each row, the
    others must be in the reference's order of cosine similarity; two may change places if their
    similarities are within twice what one may be off; ``tolerance.similarity`` replaces that.
    Pass: ``match``; fail: ``wrong-direction``, ``wrong-ranking``, ``vacuous``.
    """
    found = rows.first
    if found.reference.ndim != _AXES:
        return rows.of_another_form(found, "(rows, values)")
    judged = _Angles(found, rows.precision)
    if why := _pointless(judged, rows):
        return rows.vacuous(why)
    figures = judged.figures
    if flaws := _turned(judged, rows):
        bounds = {"cosine": rounded_bound(math.cos(float(judged.off.max())), "higher")}
        return _failed(rows, "wrong-direction", flaws, bounds, figures)
    swaps = _swaps(judged, rows)
    figures["worst_ratio"] = max(judged.worst_ratio, swaps.worst_ratio)
    if swaps.wrong:
        bounds = {"similarity": rounded_bound(max(each.margin for each in swaps.wrong))}
        return _failed(rows, "wrong-ranking", swaps.told(rows), bounds, figures)
    ranked = f"ranked alike, {swaps.forgiven} places changed within {swaps.margin:.3g}"
    return rows.passed(
        f"points where eager fp64 does: {judged.count} rows at most {judged.off.max():.3g} rad "
        f"off, {ranked if judged.count >= _LEAST_ROWS else 'too few to be ranked'}",
        figures,
    )


class _Angles:
    """Angles in radians: of each row to the reference's, and between the reference's rows."""

    def __init__(self, found: Side, precision: Precision) -> None:
        eager = None if precision == "fp64" else found.eager
        self.precision = precision
        self.width = found.reference.shape[1]
        self.count = len(found.reference)
        self.truth = _directions(found.reference)
        self.actual = _directions(found.actual)
        self.eager = None if eager is None else _directions(eager)

    @cached_property
    def off(self) -> Array:
        """Return the engine's angle to the reference, per row."""
        return _angles(self.actual, self.truth)

    @cached_property
    def allowed(self) -> Array:
        """Return the angle that is allowed, per row.

        Eager's own is the row's, or the median row's if that is more: on one input it may be small
        by luck. Of rows with few values it is the largest.
        """
        if self.eager is None:
            return np.full(self.count, derived_bound(math.inf, self.precision))
        own = _angles(self.eager, self.truth)
        usual = np.median(own) if self.width >= LEAST_ELEMENTS else np.max(own)
        noise = np.maximum(own * luck_of(self.width), usual)
        return np.array([derived_bound(float(each), self.precision) for each in noise])

    @cached_property
    def similarities(self) -> Array:
        """Return the reference's cosine of each row to each other."""
        return _cosines(self.truth)

    @cached_property
    def allowed_similarity(self) -> float:
        """Return how far one similarity of two rows may be off.

        `NOISE_FACTOR` times eager's largest error over all pairs, `luck_of` their number more, and
        roundoffs for both rows; at most what the angles allow: a cosine changes by no more than
        both rows turn.
        """
        both = 2 * float(self.allowed.max())
        floor = 2 * FLOOR_ROUNDOFFS * UNIT_ROUNDOFF[self.precision]
        if self.eager is None:
            return min(2 * CEILING[self.precision], both)
        pairs = self.count * (self.count - 1) // 2
        noise = float(np.max(np.abs(_cosines(self.eager) - self.similarities), initial=0.0))
        derived = NOISE_FACTOR[self.precision] * noise * luck_of(pairs) if pairs else 0.0
        return min(derived + floor, both)

    @property
    def worst_ratio(self) -> float:
        """Return how many times its allowance the worst row is off."""
        return float(np.max(self.off / self.allowed))

    @property
    def figures(self) -> dict[str, float]:
        """Return what a report shows."""
        return {
            "row_cosine": math.cos(float(self.off.max())),
            "angle_rad": float(self.off.max()),
            "worst_ratio": self.worst_ratio,
        }


@dataclass(frozen=True)
class _Swap:
    """Two rows that change places, as a third sees them."""

    seen_from: int
    nearer: int
    farther: int
    margin: float
    """By how much the reference's similarity of ``nearer`` exceeds that of ``farther``."""


@dataclass(frozen=True)
class _Swaps:
    """The changes of places: those that rounding does not explain, and how many it does."""

    wrong: list[_Swap]
    forgiven: int
    margin: float
    widest: float

    @property
    def worst_ratio(self) -> float:
        """Return how many times the margin the widest change is."""
        return self.widest / self.margin if self.margin else float(self.widest > 0)

    def told(self, rows: JudgedRows) -> list[str]:
        """Return the worst in words."""
        worst = sorted(self.wrong, key=lambda each: -each.margin)[:_SHOWN]
        return [
            *(
                f"to {rows.rows[each.seen_from]}, {rows.rows[each.farther]} is nearer than "
                f"{rows.rows[each.nearer]}, which the reference has {each.margin:.3g} nearer"
                for each in worst
            ),
            f"{len(self.wrong)} changes of places; one is forgiven within {self.margin:.3g}",
        ]


def _pointless(judged: _Angles, rows: JudgedRows) -> str:
    lengths = np.linalg.norm(judged.truth, axis=1)
    if np.any(lengths == 0):
        return f"{rows.rows[int(np.argmin(lengths))]} is zero, and has no direction"
    if judged.count < 2 or judged.width < 2:  # noqa: PLR2004 - a direction needs two values
        return "" if judged.width > 1 else "rows of one value have no direction"
    apart = np.arccos(np.clip(judged.similarities, -1, 1)).max()
    if apart <= 2 * judged.allowed.max():
        return f"all rows are within {apart:.3g} rad, so that any could stand for another"
    return ""


def _turned(judged: _Angles, rows: JudgedRows) -> list[str]:
    """Return which rows point elsewhere."""
    given = rows.tolerance.cosine
    allowed = judged.allowed if given is None else np.full(judged.count, math.acos(min(given, 1)))
    wrong = np.flatnonzero(~(judged.off <= allowed))
    worst = sorted(wrong, key=lambda row: -judged.off[row])[:_SHOWN]
    return [
        f"{rows.rows[row]}: cosine {math.cos(judged.off[row]):.9g}, {judged.off[row]:.3g} rad off, "
        f"{allowed[row]:.3g} are allowed"
        for row in worst
    ]


def _swaps(judged: _Angles, rows: JudgedRows) -> _Swaps:
    given = rows.tolerance.similarity
    margin = 2 * judged.allowed_similarity if given is None else given
    actual, expected = _cosines(judged.actual), judged.similarities
    wrong, forgiven, widest = [], 0, 0.0
    for row in range(judged.count):
        others = [other for other in range(judged.count) if other != row]
        gaps = expected[row, others][:, None] - expected[row, others][None, :]
        got = actual[row, others][:, None] - actual[row, others][None, :]
        for one, two in np.argwhere((gaps > 0) & (got < 0)):
            gap = float(gaps[one, two])
            widest = max(widest, gap)
            if gap <= margin:
                forgiven += 1
            else:
                wrong.append(_Swap(row, others[one], others[two], gap))
    return _Swaps(wrong, forgiven, margin, widest)


def _failed(
    rows: JudgedRows,
    code: str,
    flaws: list[str],
    needed: dict[str, float],
    figures: dict[str, float],
) -> Verdict:
    what = "rows point elsewhere than in" if code == "wrong-direction" else "rows are ranked unlike"
    bounds = rows.tolerance.as_dict() | needed
    return rows.failed(
        code,
        f"{what} eager fp64",
        why="\n".join(flaws),
        mend=f"find what loses precision, or accept it: {mark_from_bounds(bounds)}",
        figures=figures,
    )


def _directions(values: Array) -> Array:
    """Return rows of length 1; zeros stay."""
    exact = values.astype(np.float64)
    largest = np.max(np.abs(exact), axis=1, keepdims=True)
    scaled = exact / np.where(largest > 0, largest, 1.0)  # squares of small numbers are denormal
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    directions: Array = scaled / np.where(lengths > 0, lengths, 1.0)
    return directions


def _angles(left: Array, right: Array) -> Array:
    """Return the angle of each pair of rows, by the chord: a cosine near 1 has no digits left."""
    chord = np.linalg.norm(left - right, axis=1)
    angles: Array = 2 * np.arcsin(np.clip(chord / 2, 0, 1))
    return angles


def _cosines(directions: Array) -> Array:
    cosines: Array = directions @ directions.T
    return cosines
