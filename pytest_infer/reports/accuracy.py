"""The table of engines whose answers to held-out rows were judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.reports.columns import CASE, P50, SPEEDUP, Column
from pytest_infer.reports.summary import rows_from_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_infer.reports.record import Record

JUDGE = "accuracy"
"""The judge of these records."""

FIGURES = (
    Column("accuracy", "accuracy", "{:.2%}"),
    Column("eager fp32", "exact_accuracy", "{:.2%}"),
    Column("drop", "accuracy_drop", "{:+.2%}"),
    Column("at most", "drop_most", "{:+.2%}"),
    Column("rows", "evaluation_rows", "{:.0f}"),
    Column("in precision", "precision_share", "{:.0%}"),
    P50,
    SPEEDUP,
)
"""The last three are those of other tests of the same case."""

DISPENSABLE = (P50.heading, "rows", "in precision")
"""What a narrow terminal does without, in this order."""

HEADINGS = (*CASE, *(each.heading for each in FIGURES), "verdict")


def accuracy_cells(
    records: Iterable[Record],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
    """Return headings and a row per judged case, without empty columns; None without a row."""
    found = list(records)
    codes = {each.case_id: each.code for each in found if each.judge == JUDGE}
    rows = [row for row in rows_from_records(found) if row.case.id in codes]
    cells = [(*row.names(), *_figures(row.figures), codes[row.case.id]) for row in rows]
    shown = [number for number in range(len(HEADINGS)) if any(row[number] for row in cells)]
    texts = [tuple(row[number] for number in shown) for row in cells]
    return (tuple(HEADINGS[number] for number in shown), texts) if cells else None


def _figures(figures: Mapping[str, float]) -> Iterable[str]:
    return (each.cell(figures) for each in FIGURES)
