"""The rows of the report: one per case, whatever tests judged it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_infer.case import PRECISIONS, Case, settings_text, variant_text
from pytest_infer.reports.columns import CASE, FIGURES, RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_infer.reports.record import Record

SEVERITY = ("fail", "inconclusive", "known", "new", "pass")
"""Statuses, the worst first: a row shows the worst of its verdicts."""

HEADINGS = (*CASE, *(each.heading for each in FIGURES), "verdict")

RESOURCE_HEADINGS = (*CASE, *(each.heading for each in RESOURCES))


@dataclass(frozen=True)
class Row:
    """What is known of one case; a figure that was not measured is None."""

    case: Case
    status: str
    code: str
    figures: Mapping[str, float]

    def cells(self) -> tuple[str, ...]:
        """Return the texts under `HEADINGS`."""
        return (
            *self.names(),
            *(each.cell(self.figures) for each in FIGURES),
            self.status if self.status == "pass" else f"{self.status}: {self.code}",
        )

    def resource_cells(self) -> tuple[str, ...] | None:
        """Return the texts under `RESOURCE_HEADINGS`, None if nothing is known of them."""
        cells = [each.cell(self.figures) for each in RESOURCES]
        return (*self.names(), *cells) if any(cells) else None

    def names(self) -> tuple[str, ...]:
        """Return the texts under `CASE`."""
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
    return status_counts(record.status for record in records)


def status_counts(found: Iterable[str]) -> dict[str, int]:
    """Return how often each status is among those that were found, the worst first."""
    statuses = list(found)
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
