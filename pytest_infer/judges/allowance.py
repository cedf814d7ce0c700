"""What an output, or a part of it, may differ by: derived from eager's own error in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.arrays import Array
from pytest_infer.case import Precision
from pytest_infer.judges.metrics import metrics
from pytest_infer.judges.scales import Part, carriers, parts_of
from pytest_infer.judges.tolerance import (
    CEILING,
    GAIN_SHARE,
    derived_bound,
    derived_gain,
    derived_part_bound,
    luck_of,
    part_floor,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


DERIVED = ("gain", "max_abs", "relative_l2")
"""The metrics that have a derived bound, and are judged in parts."""

MOST_ROWS = 64
"""A bound that sharpens with the rows does so up to here: each is compared with the others."""


@dataclass(frozen=True)
class Noise:
    """What eager at the case's precision makes of one output, or of a part of it."""

    eager: Array | None
    """None where there is none, not of the reference's shape, or not finite."""
    reference: Array

    def of(self, metric: str) -> float:
        """Return a metric of eager; infinite where there is no eager."""
        return math.inf if self.eager is None else metrics()[metric](self.eager, self.reference)

    def relative(self, metric: str) -> float:
        """Return the metric over its unit; 0 where the reference is zero and has none."""
        unit = self.unit(metric)
        return self.of(metric) / unit if unit else 0.0

    def unit(self, metric: str) -> float:
        """Return what a derived bound of the metric is relative to: for max abs, the largest."""
        return self.largest if metric == "max_abs" else 1.0

    def size(self, metric: str) -> float:
        """Return the magnitude that a floor in the output's unit is compared with."""
        return self.largest if metric == "max_abs" else self.root_mean_square

    @cached_property
    def largest(self) -> float:
        """Return the reference's largest magnitude."""
        return float(np.max(np.abs(self.reference), initial=0.0))

    @cached_property
    def root_mean_square(self) -> float:
        """Return the reference's root mean square."""
        scaled = self.reference / (self.largest or 1.0)  # squares of small numbers are denormal
        return self.largest * math.sqrt(float(np.mean(np.square(scaled))))

    @cached_property
    def luck(self) -> float:
        """Return by what factor eager's error may be small by luck, `luck_of` its elements."""
        return 1.0 if self.eager is None else luck_of(carriers(self.eager - self.reference))

    def rows(self, closeness: float) -> float:
        """Count the rows whose errors may cancel, `MOST_ROWS` at most.

        Rows that are relatively closer to each other than ``closeness`` are rounded alike, and
        count once. Beside large rows small ones count little (Kish's effective sample size).
        """
        if self.reference.ndim < 2:  # noqa: PLR2004 - rows need a dimension
            return max(1, min(self.reference.size, MOST_ROWS))
        rows = self.reference.reshape(len(self.reference), -1)
        distinct = rows[:1]
        for row in rows[1:]:
            distances = np.linalg.norm(distinct - row, axis=1)
            if np.all(distances > closeness * np.linalg.norm(row)):
                distinct = np.concatenate([distinct, row[None]])
            if len(distinct) == MOST_ROWS:
                break
        return max(1.0, carriers(np.linalg.norm(distinct, axis=1)))


@dataclass(frozen=True)
class Allowance:
    """The derived bounds of one output, or of a part of it."""

    whole: Noise
    precision: Precision
    part: Part | None = None

    @cached_property
    def noise(self) -> Noise:
        """Return eager's error in what is judged."""
        eager, reference = self.whole.eager, self.of(self.whole.reference)
        return Noise(None if eager is None else self.of(eager), reference)

    def of(self, values: Array) -> Array:
        """Return what is judged of an output's ``values``."""
        return values if self.part is None else self.part.of(values)

    def bound(self, metric: str) -> float:
        """Return the bound of one of the metrics that have a derived one."""
        if metric != "gain":
            return self._relative(metric) * self.noise.unit(metric)
        gains = [each.of("gain") for each in (self.whole, self.noise)]
        # where few elements carry the part, their errors are its gain, whatever the rows
        elements = GAIN_SHARE**2 * carriers(self.noise.reference)
        rows = min(self.noise.rows(CEILING[self.precision]), elements)
        return derived_gain(max(gains), self._relative("relative_l2"), rows, self.precision)

    def is_at_ceiling(self, metric: str) -> bool:
        """Return whether the precision's ceiling judges alone, as it does whole outputs only."""
        is_capped = self.part is None and metric != "gain"
        return is_capped and self._relative(metric) >= CEILING[self.precision]

    def origin(self, metric: str) -> str:
        """Return where the bound comes from, in words."""
        is_capped = self.is_at_ceiling(metric)
        return f"the ceiling of {self.precision}" if is_capped else "the derived tolerance"

    def _relative(self, metric: str) -> float:
        whole = self.whole.relative(metric)
        if self.part is None:
            return derived_bound(whole, self.precision)
        own = self.noise.luck * self.noise.relative(metric)
        noise = None if self.noise.eager is None else max(whole, own)
        floor = part_floor(self.whole.largest, self.precision) / self.noise.size(metric)
        return derived_part_bound(noise, floor, self.precision)


def allowances(eager: Array | None, reference: Array, precision: Precision) -> Iterator[Allowance]:
    """Yield what a floating output may differ by, then each of its parts of another scale."""
    is_known = (
        precision != "fp64"
        and eager is not None
        and eager.shape == reference.shape
        and bool(np.isfinite(eager).all())
    )
    whole = Noise(eager if is_known else None, reference)
    yield Allowance(whole, precision)
    for part in parts_of(reference, precision):
        yield Allowance(whole, precision, part)
