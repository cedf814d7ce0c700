"""The rows of the report: one per case, whatever tests judged it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_infer.case import PRECISIONS, Case, settings_text, variant_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_infer.reports.record import Record

SEVERITY = ("fail", "inconclusive", "known", "new", "pass")
"""Statuses, the worst first: a row shows the worst of its verdicts."""

HEADINGS = (
    "model",
    "engine",
    "precision",
    "batch",
    "p50 ms",
    "p99 ms",
    "images/s",
    "speed-up",
    "relative L2",
    "of tolerance",
    "verdict",
)

RESOURCE_HEADINGS = (
    "model",
    "engine",
    "precision",
    "batch",
    "engine MB",
    "build s",
    "load s",
    "peak host MB",
    "device MB",
)
RESOURCES = ("engine_bytes", "build_s", "load_s", "peak_host_bytes", "device_bytes")
BYTES_PER_MB = 1_000_000


@dataclass(frozen=True)
class Row:
    """What is known of one case; a figure that was not measured is None."""

    case: Case
    status: str
    code: str
    figures: Mapping[str, float]

    def cells(self) -> tuple[str, ...]:
        """Return the texts under `HEADINGS`."""
        figures = self.figures
        return (
            *self._names(),
            _text(figures.get("p50_ms"), "{:.3f}"),
            _text(figures.get("p99_ms"), "{:.3f}"),
            _text(figures.get("throughput_per_s"), "{:.1f}"),
            _text(figures.get("speedup"), "{:.2f}x"),
            _text(figures.get("relative_l2"), "{:.1e}"),
            _ratio(figures.get("worst_ratio")),
            self.status if self.status == "pass" else f"{self.status}: {self.code}",
        )

    def resource_cells(self) -> tuple[str, ...] | None:
        """Return the texts under `RESOURCE_HEADINGS`, None if nothing is known of them."""
        if not self.figures.keys() & set(RESOURCES):
            return None
        return (*self._names(), *(_amount(name, self.figures.get(name)) for name in RESOURCES))

    def _names(self) -> tuple[str, ...]:
        return (
            self.case.model + variant_text(self.case.variant),
            self.case.engine + settings_text(dict(self.case.options)),
            self.case.precision,
            str(self.case.batch),
        )


def resource_rows(records: Iterable[Record]) -> list[tuple[str, ...]]:
    """Return the lines under `RESOURCE_HEADINGS`, one per case of which something is known."""
    return [cells for row in rows_from_records(records) if (cells := row.resource_cells())]


def rows_from_records(records: Iterable[Record]) -> list[Row]:
    """Return a row per case, sorted by model, batch, engine and precision."""
    grouped: dict[str, list[Record]] = {}
    for record in records:
        grouped.setdefault(record.case_id, []).append(record)
    return sorted((_row(group) for group in grouped.values()), key=_place)


def counts_of(records: Iterable[Record]) -> dict[str, int]:
    """Return how many verdicts have each status, the worst first."""
    statuses = [record.status for record in records]
    return {status: statuses.count(status) for status in SEVERITY if status in statuses}


def _row(records: Sequence[Record]) -> Row:
    worst = min(records, key=lambda record: SEVERITY.index(record.status))
    figures: dict[str, float] = {}
    for record in records:
        figures |= record.figures
    ratios = [r.figures["worst_ratio"] for r in records if "worst_ratio" in r.figures]
    if ratios:
        figures["worst_ratio"] = max(ratios)
    return Row(records[0].case, worst.status, worst.code, figures)


def _place(row: Row) -> tuple[str, str, int, str, int]:
    case = row.case
    precision = PRECISIONS.index(case.precision)
    return case.model, case.variant, case.batch, case.engine, precision


def _text(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _amount(name: str, value: float | None) -> str:
    """Return bytes in MB and seconds as they are."""
    if value is None or not name.endswith("_bytes"):
        return _text(value, "{:.2f}")
    return f"{value / BYTES_PER_MB:.1f}"


def _ratio(value: float | None) -> str:
    """Return a share of the tolerance in per cent, or how many times it was missed."""
    return _text(value, "{:.0%}" if value is None or value <= 1 else "{:.3g}x")
