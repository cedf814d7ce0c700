"""Compare the batches at which one model was timed with one engine and precision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pytest_infer.case import settings_text, variant_text
from pytest_infer.reports.columns import CASE, P50, RATE, SPEEDUP
from pytest_infer.reports.summary import rows_from_records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_infer.case import Case
    from pytest_infer.reports.record import Record
    from pytest_infer.reports.summary import Row

HEADINGS = (*CASE, P50.heading, RATE.heading, "of best", SPEEDUP.heading, "")

SILENT = ("fail", "inconclusive")
"""Statuses of cases whose speed says nothing: they are shown, and never the best."""


@dataclass(frozen=True)
class Point:
    """One batch of a sweep."""

    batch: int
    p50_ms: float
    throughput_per_s: float
    of_best: float | None
    """Its throughput over the best batch's; None if no batch is fit to be the best."""
    speedup: float | None
    """Eager's fp32 median over the engine's at this batch; None if eager was not timed."""
    is_best: bool
    status: str


@dataclass(frozen=True)
class Sweep:
    """The batches at which one engine was timed, the smallest first."""

    model: str
    engine: str
    precision: str
    device: str
    settings: Mapping[str, Any]
    points: tuple[Point, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return asdict(self)

    def cells(self) -> list[tuple[str, ...]]:
        """Return the texts under `HEADINGS`, a line per batch; names stand in the first."""
        names = (self.model, self.engine + settings_text(self.settings), self.precision)
        return [
            (*(names if number == 0 else ("", "", "")), *_cells(point))
            for number, point in enumerate(self.points)
        ]


def sweeps_from_records(records: Iterable[Record]) -> list[Sweep]:
    """Return what was timed at two batches or more, in the order of the table of all cases."""
    grouped: dict[tuple[str, ...], list[Row]] = {}
    for row in rows_from_records(records):
        if {"p50_ms", "throughput_per_s"} <= row.figures.keys():
            grouped.setdefault(_key(row.case), []).append(row)
    return [_sweep(rows) for rows in grouped.values() if len(rows) > 1]


def _key(case: Case) -> tuple[str, ...]:
    settings = settings_text(dict(case.options))
    model = case.model + variant_text(case.variant)
    return model, case.engine, case.precision, settings, case.device


def _sweep(rows: list[Row]) -> Sweep:
    case = rows[0].case
    rates = [r.figures["throughput_per_s"] for r in rows if r.status not in SILENT]
    best = max(rates, default=None)
    return Sweep(
        model=case.model + variant_text(case.variant),
        engine=case.engine,
        precision=case.precision,
        device=case.device,
        settings=dict(case.options),
        points=tuple(_point(row, best) for row in rows),
    )


def _point(row: Row, best: float | None) -> Point:
    rate = row.figures["throughput_per_s"]
    return Point(
        batch=row.case.batch,
        p50_ms=row.figures["p50_ms"],
        throughput_per_s=rate,
        of_best=None if best is None else rate / best,
        speedup=row.figures.get("speedup"),
        is_best=rate == best and row.status not in SILENT,
        status=row.status,
    )


def _cells(point: Point) -> tuple[str, ...]:
    return (
        str(point.batch),
        f"{point.p50_ms:.3f}",
        f"{point.throughput_per_s:.1f}",
        "" if point.of_best is None else f"{point.of_best:.0%}",
        "none" if point.speedup is None else f"{point.speedup:.2f}x",
        "best" if point.is_best else point.status if point.status in SILENT else "",
    )
