"""The chart of a case against its baseline: stored measurements, those of now, and the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isfinite
from statistics import fmean
from typing import Any

from pytest_infer.reports.page.scales import Scale, Tick, ticks
from pytest_infer.stored_gate import KERNEL

WIDTH, HEIGHT = 640, 170
LEFT, RIGHT, TOP, BOTTOM = 64, 520, 10, 145
LEAST_SPAN = 0.01
"""Of the axis, as a share: noise of a tenth of a per cent is not blown up to its height."""


@dataclass(frozen=True)
class ChangeChart:
    """What the template draws, in its view box; heights are those of changes."""

    stored: str
    """A path with a dot per stored measurement."""
    now: str
    zero: float
    limit: float
    band: tuple[float, float]
    """Top and height of the band of twice the spread around what is stored."""
    ticks: Sequence[Tick]
    divide: float
    """Where now begins."""
    told: str


def change_chart(compared: Mapping[str, Any], figures: Mapping[str, float]) -> ChangeChart | None:
    """Return the chart of what the gate compared; None where it has no measurement of now."""
    stored, current = (
        [_ratio(each, compared["beside"]) for each in compared[side]] for side in ("stored", "now")
    )
    duets = [each["duet"] for each in compared["now"]]
    is_beside = bool(duets) and None not in duets
    base = 0.0 if is_beside else fmean(stored)
    now = duets if is_beside else current
    limit, spread = figures.get("limit"), figures.get("spread", 0.0)
    if not now or limit is None or not isfinite(limit):
        return None
    before = [exp(each - fmean(stored)) - 1 for each in stored]
    after = [exp(each - base) - 1 for each in now]
    most = max([*before, *after, limit, spread * 2, LEAST_SPAN / 2]) * 1.15
    least = min([*before, *after, -spread * 2, -LEAST_SPAN / 2]) * 1.15
    up = Scale(least, most, BOTTOM, TOP)
    along = Scale(0, len(before) + len(after) + 1, LEFT, RIGHT)
    top, bottom = up(2 * spread), up(-2 * spread)
    return ChangeChart(
        stored=_dots(before, along, up, 1),
        now=_dots(after, along, up, len(before) + 1.5),
        zero=up(0),
        limit=up(limit),
        band=(top, round(bottom - top, 1)),
        ticks=[Tick(each.place, _percent(each.text)) for each in ticks(up)],
        divide=along(len(before) + 0.75),
        told=_told(compared, after, limit, spread),
    )


def _ratio(measurement: Mapping[str, float], beside: str) -> float:
    """Return the logarithm of what was compared: over the reference net or the fixed kernel."""
    theta = float(measurement["theta"])
    return theta + float(measurement["rho"]) if beside == KERNEL else theta


def _dots(values: Sequence[float], along: Scale, up: Scale, begin: float) -> str:
    return "".join(f"M{along(begin + n):g} {up(value):g}h0" for n, value in enumerate(values))


def _percent(text: str) -> str:
    return f"{float(text) * 100:+.3g} %" if float(text) else "0"


def _told(compared: Mapping[str, Any], after: Sequence[float], limit: float, spread: float) -> str:
    return (
        f"{len(compared['stored'])} measurements stored on {compared['date']} and {len(after)} of "
        f"now, against {compared['beside']}: {fmean(after):+.2%} on average, "
        f"{limit:+.2%} is the limit, one measurement spreads by {spread:.2%} ({compared['terms']})"
    )
