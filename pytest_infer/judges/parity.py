"""The judge of parity: named outputs against eager's in float64."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.case import Precision
from pytest_infer.judges.allowance import DERIVED, Allowance, allowances
from pytest_infer.judges.metrics import Metric, metrics
from pytest_infer.judges.outputs import malformed, not_finite, vacuous
from pytest_infer.judges.scales import Part, told_place, worst_element
from pytest_infer.judges.tolerance import Tolerance, mark_from_bounds, rounded_bound
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_infer.arrays import Array

_SHOWN = 6
"""Missed bounds that a message shows, the worst first."""

CHECKS = "checks"
"""The detail of a verdict that holds what was held to a bound, the worst first."""

MOST_CHECKS = 40
"""Checks that a verdict keeps: outputs may have many parts."""


@dataclass(frozen=True)
class _Check:
    """One metric of one output, and the bound it is held to (None: only reported)."""

    output: str
    part: Part | None
    """None: the whole of it."""
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

    @property
    def place(self) -> str:
        """Return what was judged, in words."""
        return told_place(self.output, self.part)

    def __str__(self) -> str:
        sign = ">" if self.metric.better == "lower" else "<"
        missed = f"{self.place} {self.metric.name} {self.value:.6g} {sign} {self.bound:.6g}"
        return f"{missed}{_times(self.ratio)}: {self.origin}; {self._floor()}"

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-able values; what is infinite is None."""
        figures = {
            "value": self.value,
            "bound": self.bound,
            "noise": self.noise,
            "ratio": self.ratio,
        }
        return {
            "output": self.output,
            "part": "" if self.part is None else str(self.part),
            "metric": self.metric.name,
            "better": self.metric.better,
            "origin": self.origin,
            **{name: _finite(value) for name, value in figures.items()},
        }

    def _floor(self) -> str:
        if not math.isfinite(self.noise):
            return "there is no noise floor"
        return f"the noise floor is {self.noise:.3g}{_times(_quotient(self.value, self.noise))}"


@dataclass(frozen=True)
class _Limits:
    """The precision and the tolerance that bounds are made of."""

    precision: Precision
    given: Tolerance

    def bound(self, metric: str, allowance: Allowance) -> tuple[float | None, str]:
        """Return a metric's bound and where it comes from; None if it is only reported."""
        fixed = self.given.as_dict().get(metric)
        if fixed is not None:
            return fixed, "the tolerance set"
        if metric not in DERIVED:
            return None, ""
        if metric == "gain" and self.given.relative_l2 is not None:
            return None, ""  # who accepts an error of this size accepts it as a scale, too
        return allowance.bound(metric), allowance.origin(metric)


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
    `derived_gain`; where slices along an axis differ in scale, those of like scale are judged by
    themselves too, by `derived_part_bound`. A tolerance replaces the bounds it names, and adds
    those of other metrics; one of relative L2 covers the scale. Integers and bools must be equal.
    Pass: ``match``; fail: ``diverged``, ``not-finite``, ``eager-not-finite``, ``missing-output``,
    ``extra-output``, ``wrong-shape``, ``wrong-dtype``, ``vacuous``.
    """
    known = {} if eager is None or precision == "fp64" else eager
    fault = (
        vacuous(reference64, precision, subject)
        or malformed(actual, reference64, subject)
        or not_finite(actual, reference64, subject, known)
    )
    if fault:
        return fault
    limits = _Limits(precision, tolerance or Tolerance())
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
    return _Check(name, None, largest, value, math.inf, 0.0, "integers and bools must be equal")


def _checks(
    name: str, actual: Array, eager: Array | None, reference: Array, limits: _Limits
) -> Iterator[_Check]:
    if reference.dtype.kind != "f":
        yield _equal(name, actual, reference)
        return
    for allowance in allowances(eager, reference, limits.precision):
        judged, noise = allowance.of(actual), allowance.noise
        for metric in metrics().values():
            if allowance.part is not None and metric.name not in DERIVED:
                continue
            bound, origin = limits.bound(metric.name, allowance)
            value, floor = metric(judged, noise.reference), noise.of(metric.name)
            yield _Check(name, allowance.part, metric, value, floor, bound, origin)


def _matched(checks: list[_Check], subject: str) -> Verdict:
    worst = max(checks, key=lambda check: check.ratio)
    message = (
        f"{subject} matches eager fp64: worst is {worst.place} {worst.metric.name} "
        f"{worst.value:.3g}, {worst.ratio:.2g} x {worst.origin}"
    )
    return Verdict("parity", "pass", "match", message, _figures(checks), {CHECKS: _kept(checks)})


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
    places = dict.fromkeys((check.output, check.part) for check in missed[:_SHOWN])
    elements = dict.fromkeys(
        worst_element(name, actual[name], reference[name], part) for name, part in places
    )
    verdict = failed(
        "parity",
        "diverged",
        what=f"{subject}: {', '.join(map(repr, names))} diverged from eager fp64",
        why="\n".join([*map(str, missed[:_SHOWN]), *elements]),
        mend=_mend(bounds),
        figures=_figures(checks),
    )
    return replace(verdict, bounds=bounds, details={CHECKS: _kept(checks)})


def _kept(checks: list[_Check]) -> list[dict[str, Any]]:
    """Return what was held to a bound, the worst first."""
    held = sorted((each for each in checks if each.bound is not None), key=lambda each: -each.ratio)
    return [each.as_dict() for each in held[:MOST_CHECKS]]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _missed(checks: list[_Check]) -> list[_Check]:
    """Return the missed bounds, the worst first; a scale only where the error is small enough."""
    missed = [check for check in checks if not check.is_passed]
    large = {(check.output, check.part) for check in missed if check.metric.name == "relative_l2"}
    told = [
        each
        for each in missed
        if each.metric.name != "gain" or (each.output, each.part) not in large
    ]
    return sorted(told, key=lambda each: -each.ratio)


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
    """Return each metric's worst over the outputs; what JSON cannot hold (infinity) is left out.

    The figures are of whole outputs, and the ratio of whatever was judged.
    """
    whole = [check for check in checks if check.part is None]
    found = {
        metric.name: _worst(whole, metric)
        for metric in metrics().values()
        if any(check.metric is metric for check in whole)
    }
    found["worst_ratio"] = max(check.ratio for check in checks)
    return {name: value for name, value in found.items() if math.isfinite(value)}
