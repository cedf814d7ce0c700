"""The charts of speed: latency of each engine per model, and throughput by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import TYPE_CHECKING

from pytest_infer.case import settings_text
from pytest_infer.reports.page.cases import CaseView
from pytest_infer.reports.page.scales import Scale, Tick, ticks

if TYPE_CHECKING:
    from pytest_infer.reports.sweep import Sweep

MOST_BARS = 30
"""Bars of one model; the table of all cases has the others."""

SHIPPABLE = ("pass", "new")
"""Statuses of a case whose engine may be shipped: nothing speaks against it."""

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 60, 470, 14, 225
LABEL = 14
"""Between two names at the ends of lines, at least."""

COLORS = 8


@dataclass(frozen=True)
class Bar:
    """One case: its median as a bar, its 99th percentile as a mark behind."""

    case: CaseView
    p50: float
    """In per cent of the chart's width."""
    p99: float
    is_best: bool


@dataclass(frozen=True)
class Bars:
    """The cases of one model at one batch, the fastest first."""

    model: str
    batch: int
    bars: Sequence[Bar]
    left: int
    """Cases that are not shown, all of them slower."""

    @property
    def best(self) -> CaseView | None:
        """Return the fastest case against which nothing speaks."""
        return next((each.case for each in self.bars if each.is_best), None)


def latency_bars(cases: Sequence[CaseView]) -> list[Bars]:
    """Return a chart per model and batch of what was timed."""
    grouped: dict[tuple[str, int], list[CaseView]] = {}
    for each in cases:
        if "p50_ms" in each.figures:
            grouped.setdefault((each.model, each.batch), []).append(each)
    return [_bars(model, batch, found) for (model, batch), found in grouped.items()]


def _bars(model: str, batch: int, cases: Sequence[CaseView]) -> Bars:
    ordered = sorted(cases, key=lambda each: each.figures["p50_ms"])
    fit = next((each for each in ordered if each.status in SHIPPABLE), None)
    shown = ordered[:MOST_BARS]
    widest = max(_late(each) for each in shown)
    return Bars(
        model,
        batch,
        [
            Bar(
                each,
                round(100 * each.figures["p50_ms"] / widest, 1),
                round(100 * _late(each) / widest, 1),
                each is fit,
            )
            for each in shown
        ],
        len(ordered) - len(shown),
    )


def _late(case: CaseView) -> float:
    return case.figures.get("p99_ms", case.figures["p50_ms"])


@dataclass(frozen=True)
class Line:
    """The batches of one engine as a line."""

    name: str
    color: int
    path: str
    dots: str
    end: float
    """The height of its name."""
    at: float


@dataclass(frozen=True)
class Throughput:
    """The lines of one model, and the table of the same figures."""

    model: str
    lines: Sequence[Line]
    ticks: Sequence[Tick]
    batches: Sequence[Tick]
    rows: Sequence[tuple[str, Sequence[tuple[str, str, bool]]]]
    """Of each engine: its rate, its share of the best and whether it is that, per batch."""
    left: int


def throughput_charts(sweeps: Sequence[Sweep]) -> list[Throughput]:
    """Return a chart per model that was timed at several batches."""
    grouped: dict[str, list[Sweep]] = {}
    for each in sweeps:
        grouped.setdefault(each.model, []).append(each)
    return [_throughput(model, found) for model, found in grouped.items()]


def _throughput(model: str, sweeps: Sequence[Sweep]) -> Throughput:
    batches = sorted({point.batch for each in sweeps for point in each.points})
    ordered = sorted(sweeps, key=lambda each: -_peak(each))
    drawn = ordered[:COLORS]
    up = Scale(0, max(_peak(each) for each in drawn) * 1.05, BOTTOM, TOP)
    along = Scale(log2(batches[0]), log2(batches[-1]), LEFT + 10, RIGHT - 10)
    lines = _apart([_line(each, number, along, up) for number, each in enumerate(drawn)])
    return Throughput(
        model,
        lines,
        ticks(up),
        [Tick(along(log2(each)), str(each)) for each in batches],
        [(_name(each), _rates(each, batches)) for each in ordered],
        len(sweeps) - len(drawn),
    )


def _line(sweep: Sweep, color: int, along: Scale, up: Scale) -> Line:
    places = [(along(log2(point.batch)), up(point.throughput_per_s)) for point in sweep.points]
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in places)
    dots = "".join(f"M{x:g} {y:g}h0" for x, y in places)
    return Line(_name(sweep), color, path, dots, places[-1][1], places[-1][1])


def _apart(lines: Sequence[Line]) -> list[Line]:
    """Return the lines with their names moved so that none covers another."""
    ordered = sorted(lines, key=lambda each: each.at)
    ends: list[float] = []
    for number, each in enumerate(ordered):
        rest = len(ordered) - number - 1
        lowest = BOTTOM - rest * LABEL
        ends.append(min(max(each.at, ends[-1] + LABEL if ends else TOP), lowest))
    return [replace(each, end=end) for each, end in zip(ordered, ends, strict=True)]


def _rates(sweep: Sweep, batches: Sequence[int]) -> list[tuple[str, str, bool]]:
    points = {point.batch: point for point in sweep.points}
    return [
        (
            f"{points[batch].throughput_per_s:.1f}",
            "" if (share := points[batch].of_best) is None else f"{share:.0%}",
            points[batch].is_best,
        )
        if batch in points
        else ("", "", False)
        for batch in batches
    ]


def _peak(sweep: Sweep) -> float:
    return max(point.throughput_per_s for point in sweep.points)


def _name(sweep: Sweep) -> str:
    return f"{sweep.engine}{settings_text(sweep.settings)} {sweep.precision}"
