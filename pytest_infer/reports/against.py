"""The table of engines that were compared with themselves in another environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.reports.columns import CASE, Column
from pytest_infer.reports.summary import SEVERITY, rows_from_records
from pytest_infer.units import BYTES_PER_MB

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_infer.reports.record import Record

JUDGE = "against"
"""The judge of these records, and the detail in which they say what was compared."""

BOTH = (
    Column("ms", "ms", "{:.3f}"),
    Column("engine MB", "engine_bytes", "{:.1f}", BYTES_PER_MB),
    Column("build s", "build_s"),
    Column("load s", "load_s"),
    Column("peak host MB", "peak_host_bytes", "{:.0f}", BYTES_PER_MB),
    Column("device MB", "device_bytes", "{:.0f}", BYTES_PER_MB),
)
"""Figures that each environment has, under names that begin with ``old_`` and ``new_``."""

HEADINGS = (
    *CASE,
    "speed",
    "change",
    "outputs",
    "max abs",
    *(each.heading for each in BOTH),
)


DISPENSABLE = ("device MB", "peak host MB", "load s", "build s", "engine MB", "max abs")
"""What a narrow terminal does without, in this order."""


def against_rows(records: Iterable[Record]) -> list[tuple[str, ...]]:
    """Return the lines under `HEADINGS`, one per case that was compared: old -> new."""
    own: dict[str, list[Record]] = {}
    for record in records:
        if record.judge == JUDGE:
            own.setdefault(record.case_id, []).append(record)
    rows = rows_from_records(record for each in own.values() for record in each)
    return [(*row.names(), *_cells(own[row.case.id], row.figures)) for row in rows]


def against_cells(
    records: Iterable[Record],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
    """Return headings and rows without columns of which nothing is known; None without a row."""
    rows = against_rows(records)
    shown = [number for number in range(len(HEADINGS)) if any(row[number] for row in rows)]
    cells = [tuple(row[number] for number in shown) for row in rows]
    return (tuple(HEADINGS[number] for number in shown), cells) if rows else None


def changed_lines(records: Iterable[Record]) -> list[str]:
    """Return which versions each engine was compared in, a line per engine."""
    found: dict[str, None] = {}
    for record in records:
        details = record.details.get(JUDGE)
        if record.judge == JUDGE and details:
            versions = _versions(details["old_runtime"], details["new_runtime"])
            found[f"{record.case.engine} against {details['host']}: {versions}"] = None
    return list(found)


def _versions(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    changed = [f"{name} {old.get(name, 'none')} -> {new.get(name, 'none')}" for name in names]
    return ", ".join(changed) or "the same versions"


def _cells(records: Sequence[Record], figures: Mapping[str, float]) -> Iterable[str]:
    is_speed = {id(each): "against_pairs" in each.figures for each in records}
    speeds = [each for each in records if is_speed[id(each)]]
    others = [each for each in records if not is_speed[id(each)]]
    change, worst = figures.get("against_change"), figures.get("outputs_max_abs")
    yield _code(speeds)
    yield "" if change is None else f"{change:+.1%}"
    yield _code(others)
    yield "" if worst is None else f"{worst:.1e}"
    for column in BOTH:
        yield _arrow(*(_of(column, figures, arm) for arm in ("old", "new")))


def _code(records: Sequence[Record]) -> str:
    """Return the code of the worst record."""
    ordered = sorted(records, key=lambda each: SEVERITY.index(each.status))
    return ordered[0].code if ordered else ""


def _of(column: Column, figures: Mapping[str, float], arm: str) -> str:
    name = f"{arm}_{column.figure}"
    return column.cell({column.figure: figures[name]}) if name in figures else ""


def _arrow(old: str, new: str) -> str:
    """Return both values, one where they are equal."""
    return new if old == new else f"{old} -> {new}"
