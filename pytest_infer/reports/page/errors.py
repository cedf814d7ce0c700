"""The chart of errors: each figure on a scale of decades, beside its bound and the noise floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from pytest_infer.reports.page.scales import Scale, Tick, decades, log_scale, short

LEFT, RIGHT = 18, 242

MOST_SHOWN = 12
"""Lines of a chart; an output may have many parts."""


@dataclass(frozen=True)
class ErrorLine:
    """One figure of one output; places are None where there is no figure, or it is 0."""

    name: str
    metric: str
    value: str
    bound: str
    ratio: str
    is_missed: bool
    origin: str
    at: float | None
    bound_at: float | None
    noise_at: float | None


@dataclass(frozen=True)
class ErrorChart:
    """The lines of one verdict, on one scale."""

    lines: Sequence[ErrorLine]
    ticks: Sequence[Tick]
    left: int
    """Lines that are not shown, all of them less wrong."""


def error_chart(checks: Sequence[Mapping[str, Any]]) -> ErrorChart | None:
    """Return the chart of a verdict's checks, the worst first; None of nothing."""
    shown = checks[:MOST_SHOWN]
    if not shown:
        return None
    scale = log_scale(
        (abs(each[name]) for each in shown for name in ("value", "bound", "noise") if each[name]),
        LEFT,
        RIGHT,
    )
    return ErrorChart(
        [_line(each, scale) for each in shown], decades(scale), len(checks) - len(shown)
    )


def _line(check: Mapping[str, Any], scale: Scale) -> ErrorLine:
    part = f", {check['part']}" if check["part"] else ""
    ratio = check["ratio"]
    return ErrorLine(
        name=f"{check['output']}{part}",
        metric=check["metric"],
        value=_text(check["value"]),
        bound=("≤ " if check["better"] == "lower" else "≥ ") + _text(check["bound"]),
        ratio=ratio_text(ratio),
        is_missed=ratio is None or ratio > 1,
        origin=check["origin"],
        at=_place(check["value"], scale),
        bound_at=_place(check["bound"], scale),
        noise_at=_place(check["noise"], scale),
    )


def ratio_text(ratio: float | None) -> str:
    """Return a share of what is allowed in per cent, or how many times it was missed."""
    if ratio is None:
        return "no bound holds"
    return f"{ratio:.0%}" if ratio <= 1 else f"{ratio:.3g}x"


def _place(value: float | None, scale: Scale) -> float | None:
    return scale(log10(abs(value))) if value else None


def _text(value: float | None) -> str:
    return "not finite" if value is None else short(value)
