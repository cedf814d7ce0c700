"""The judge of parity: named outputs against eager's in float64."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_infer.metrics import Metric, metrics
from pytest_infer.outputs import malformed, not_finite, vacuous
from pytest_infer.spec import Precision
from pytest_infer.tolerance import (
    CEILING,
    Tolerance,
    derived_bound,
    derived_gain,
    mark_from_bounds,
    rounded_bound,
)
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


Array: TypeAlias = npt.NDArray[Any]

_SHOWN = 6
"""Missed bounds that a message shows, the worst first."""

BOUNDS = "bounds"
"""The detail of a verdict that holds the tolerance which would have passed."""

MOST_ROWS = 64
"""A bound that sharpens with the rows does so up to here: each is compared with the others."""


@dataclass(frozen=True)
class _Check:
    """One metric of one output, and the bound it is held to (None: only reported)."""

    output: str
    metric: Metric
    value: float
    noise: float
    """The same figure of eager at the case's precision; infinite where there is none."""
    bound: float | None
    origin: str
    """Where the bound comes from."""

    @property
    def is_passed(self) -> bool:
        return self.bound is None or self.metric.is_within(self.value, self.bound)

    @property
    def ratio(self) -> float:
        """Return how many times its bound the figure is; above 1 it is missed."""
        if self.bound is None:
            return 0.0
        if self.metric.better == "lower":
            return _quotient(self.value, self.bound)
        return _quotient(self.bound, self.value)

    def __str__(self) -> str:
        sign = ">" if self.metric.better == "lower" else "<"
        missed = f"{self.output!r} {self.metric.name} {self.value:.6g} {sign} {self.bound:.6g}"
        return f"{missed}{_times(self.ratio)}: {self.origin}; {self._floor()}"

    def _floor(self) -> str:
        if not math.isfinite(self.noise):
            return "there is no noise floor"
        return f"the noise floor is {self.noise:.3g}{_times(_quotient(self.value, self.noise))}"


@dataclass(frozen=True)
class _Limits:
    """The precision and the tolerance that bounds are made of."""

    precision: Precision
    given: Tolerance

    def bound(self, metric: str, noise: _Noise) -> tuple[float | None, str]:
        """Return a metric's bound and where it comes from; None if it is only reported."""
        fixed = self.given.as_dict().get(metric)
        if fixed is not None:
            return fixed, "the tolerance set"
        if metric == "gain":
            if self.given.relative_l2 is not None:
                return None, ""  # who accepts an error of this size accepts it as a scale, too
            allowed = derived_gain(
                noise.of("gain"),
                noise.of("relative_l2"),
                noise.rows(CEILING[self.precision]),
                self.precision,
            )
            return allowed, "the derived tolerance"
        scale = {"relative_l2": 1.0, "max_abs": noise.largest}.get(metric)
        if scale is None:
            return None, ""
        relative = derived_bound(noise.of(metric) / scale, self.precision)
        at_ceiling = relative >= CEILING[self.precision]
        origin = f"the ceiling of {self.precision}" if at_ceiling else "the derived tolerance"
        return relative * scale, origin


@dataclass(frozen=True)
class _Noise:
    """What eager at the case's precision makes of one output."""

    eager: Array | None
    reference: Array

    def of(self, metric: str) -> float:
        """Return a metric of eager; infinite where eager has no such output, or no finite one."""
        eager, reference = self.eager, self.reference
        if eager is None or eager.shape != reference.shape or not np.isfinite(eager).all():
            return math.inf
        return metrics()[metric](eager, reference)

    def rows(self, closeness: float) -> int:
        """Count the rows whose errors may cancel, `MOST_ROWS` at most.

        Rows that are relatively closer to each other than ``closeness`` are rounded alike.
        """
        if self.reference.ndim < 2:  # noqa: PLR2004 - a row needs a dimension of its own
            return max(1, min(self.reference.size, MOST_ROWS))
        rows = self.reference.reshape(len(self.reference), -1)
        distinct = rows[:1]
        for row in rows[1:]:
            distances = np.linalg.norm(distinct - row, axis=1)
            if np.all(distances > closeness * np.linalg.norm(row)):
                distinct = np.concatenate([distinct, row[None]])
            if len(distinct) == MOST_ROWS:
                break
        return len(distinct)

    @property
    def largest(self) -> float:
        return float(np.max(np.abs(self.reference)))


def judge_outputs(
    actual: Mapping[str, Array],
    reference64: Mapping[str, Array],
    eager: Mapping[str, Array] | None,
    *,
    precision: Precision,
    tolerance: Tolerance | None = None,
    subject: str = "engine",
) -> Verdict:
    """Judge an engine's named outputs against eager's in fp64.

    ``eager`` holds eager's outputs at the case's own precision, whose error is the noise floor;
    where it is None the precision's ceiling judges alone, and in fp64 too. Relative L2, and max abs
    over the reference's largest magnitude, are held to `derived_bound`, the scale (`gain`) to
    `derived_gain`; a tolerance replaces the bounds it names, and adds those of other metrics; one
    of relative L2 covers the scale. Integers and bools must be equal. Pass: ``match``; fail:
    ``diverged``, ``not-finite``, ``missing-output``, ``extra-output``, ``wrong-shape``,
    ``wrong-dtype``, ``vacuous``.
    """
    fault = (
        vacuous(reference64, precision, subject)
        or malformed(actual, reference64, subject)
        or not_finite(actual, reference64, subject)
    )
    if fault:
        return fault
    limits = _Limits(precision, tolerance or Tolerance())
    known = {} if eager is None or precision == "fp64" else eager
    checks = [
        check
        for name, expected in sorted(reference64.items())
        for check in _checks(name, actual[name], known.get(name), expected, limits)
    ]
    if all(check.is_passed for check in checks):
        return _matched(checks, subject)
    return _diverged(checks, actual, reference64, limits.given, subject)


def noise_floor(eager: Mapping[str, Array], reference64: Mapping[str, Array]) -> dict[str, float]:
    """Return eager's largest absolute error against fp64, per floating output."""
    return {
        name: metrics()["max_abs"](eager[name], reference)
        for name, reference in reference64.items()
        if reference.dtype.kind == "f"
    }


def _times(ratio: float) -> str:
    return f" ({ratio:.3g} x)" if math.isfinite(ratio) else ""


def _quotient(over: float, under: float) -> float:
    if under > 0:
        return over / under
    return math.inf if over > under else 0.0


def _equal(name: str, actual: Array, reference: Array) -> _Check:
    largest = metrics()["max_abs"]
    # as fractions, neighbours among large integers are alike
    value = largest(actual, reference) or float(not np.array_equal(actual, reference))
    return _Check(name, largest, value, math.inf, 0.0, "integers and bools must be equal")


def _checks(
    name: str, actual: Array, eager: Array | None, reference: Array, limits: _Limits
) -> Iterator[_Check]:
    if reference.dtype.kind != "f":
        yield _equal(name, actual, reference)
        return
    noise = _Noise(eager, reference)
    for metric in metrics().values():
        bound, origin = limits.bound(metric.name, noise)
        value, floor = metric(actual, reference), noise.of(metric.name)
        yield _Check(name, metric, value, floor, bound, origin)


def _matched(checks: list[_Check], subject: str) -> Verdict:
    worst = max(checks, key=lambda check: check.ratio)
    message = (
        f"{subject} matches eager fp64: worst is {worst.output!r} {worst.metric.name} "
        f"{worst.value:.3g}, {worst.ratio:.2g} x {worst.origin}"
    )
    return Verdict("parity", "pass", "match", message, _figures(checks))


def _diverged(
    checks: list[_Check],
    actual: Mapping[str, Array],
    reference: Mapping[str, Array],
    given: Tolerance,
    subject: str,
) -> Verdict:
    missed = _missed(checks)
    bounds = _bounds(checks, missed, reference, given)
    names = sorted({check.output for check in missed})
    elements = [_worst_element(name, actual[name], reference[name]) for name in names]
    verdict = failed(
        "parity",
        "diverged",
        what=f"{subject}: {', '.join(map(repr, names))} diverged from eager fp64",
        why="\n".join([*map(str, missed[:_SHOWN]), *elements[:_SHOWN]]),
        mend=_mend(bounds),
        figures=_figures(checks),
    )
    return replace(verdict, details={BOUNDS: bounds})


def _missed(checks: list[_Check]) -> list[_Check]:
    """Return the missed bounds, the worst first; a scale only where the error is small enough."""
    missed = [check for check in checks if not check.is_passed]
    large = {check.output for check in missed if check.metric.name == "relative_l2"}
    told = [each for each in missed if each.metric.name != "gain" or each.output not in large]
    return sorted(told, key=lambda each: -each.ratio)


def _worst_element(name: str, actual: Array, reference: Array) -> str:
    left, right = actual.astype(np.float64), reference.astype(np.float64)
    index = np.unravel_index(int(np.argmax(np.abs(left - right))), left.shape)
    place = [int(i) for i in index]
    return f"worst element {name}{place}: {left[index]:.9g} instead of {right[index]:.9g}"


def _bounds(
    checks: list[_Check],
    missed: list[_Check],
    reference: Mapping[str, Array],
    given: Tolerance,
) -> dict[str, float]:
    """Return the tolerance that would have passed; empty where none forgives."""
    if any(reference[check.output].dtype.kind != "f" for check in missed):
        return {}
    return given.as_dict() | {
        check.metric.name: rounded_bound(_worst(checks, check.metric), check.metric.better)
        for check in missed
    }


def _mend(bounds: Mapping[str, float]) -> str:
    if not bounds:
        return "look for what the engine rounds or casts; no tolerance forgives an integer"
    return f"find what loses precision, or accept it: {mark_from_bounds(bounds)}"


def _worst(checks: list[_Check], metric: Metric) -> float:
    return metric.worst([check.value for check in checks if check.metric is metric])


def _figures(checks: list[_Check]) -> dict[str, float]:
    """Return each metric's worst over the outputs; what JSON cannot hold (infinity) is left out."""
    found = {
        metric.name: _worst(checks, metric)
        for metric in metrics().values()
        if any(check.metric is metric for check in checks)
    }
    found["worst_ratio"] = max(check.ratio for check in checks)
    return {name: value for name, value in found.items() if math.isfinite(value)}
