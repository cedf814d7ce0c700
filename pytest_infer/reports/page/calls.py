"""The chart of a timed series: every call over time, and beside it how often each duration was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

from pytest_infer.reports.page.scales import Scale, Tick, short, ticks
from pytest_infer.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH, HEIGHT = 640, 170
LEFT, RIGHT, TOP, BOTTOM = 52, 500, 10, 145
HISTOGRAM_LEFT, HISTOGRAM_RIGHT = 510, 632
MOST_BINS = 24


@dataclass(frozen=True)
class CallsChart:
    """What the template draws of a series, in its view box."""

    dots: str
    """A path with a dot per call."""
    bars: str
    """A path with a bar per bin, which lie on their sides."""
    medians: float
    """The height of the line of the median."""
    ticks: Sequence[Tick]
    told: str
    """What a person sees in it, in words."""


def calls_chart(samples: Mapping[str, Any]) -> CallsChart | None:
    """Return the chart of what `Samples.series` has kept; None of nothing."""
    durations = [value / NS_PER_MS for value in samples.get("durations_ns", ())]
    if not durations:
        return None
    slowest = [(number, value / NS_PER_MS) for number, value in samples.get("slowest", ())]
    stride = int(samples.get("stride", 1))
    every = dict(enumerate(durations))
    points = {number * stride: value for number, value in every.items()} | dict(slowest)
    least, most = min(points.values()), max(points.values())
    margin = (most - least) * 0.04 or most * 0.02 or 1.0
    up = Scale(least - margin, most + margin, BOTTOM, TOP)
    along = Scale(0, max(*points, 1), LEFT + 6, RIGHT - 6)
    median = sorted(durations)[len(durations) // 2]
    return CallsChart(
        dots="".join(f"M{along(n):g} {up(value):g}h0" for n, value in sorted(points.items())),
        bars=_bars(durations, up),
        medians=up(median),
        ticks=ticks(up),
        told=_told(samples, median, least, most),
    )


def _bars(durations: Sequence[float], up: Scale) -> str:
    """Return bars whose lengths are shares of the fullest bin's."""
    count = min(MOST_BINS, max(4, ceil(2 * sqrt(len(durations)))))
    width = (up.most - up.least) / count
    bins = [0] * count
    for value in durations:
        bins[min(int((value - up.least) / width), count - 1)] += 1
    fullest = max(bins)
    height = (BOTTOM - TOP) / count
    span = HISTOGRAM_RIGHT - HISTOGRAM_LEFT
    return "".join(
        f"M{HISTOGRAM_LEFT} {BOTTOM - (number + 1) * height + 0.5:.1f}"
        f"h{max(2, span * filled / fullest):.0f}v{height - 1:.1f}H{HISTOGRAM_LEFT}z"
        for number, filled in enumerate(bins)
        if filled
    )


def _told(samples: Mapping[str, Any], median: float, least: float, most: float) -> str:
    calls, stride = samples.get("calls", 0), samples.get("stride", 1)
    shown = f"every {stride}th of {calls} calls and the slowest" if stride > 1 else f"{calls} calls"
    return (
        f"{shown} after {samples.get('warmup_calls', 0)} to warm up: "
        f"median {short(median)} ms, {short(least)} to {short(most)} ms"
    )
