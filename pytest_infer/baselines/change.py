"""What became of baselines, as a table: the figures before and after, key by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pytest_infer.reports.terminal import filled_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.table import Table

    from pytest_infer.baselines.store import Change

Figures: TypeAlias = "Mapping[str, float]"

FIGURES = {
    "p50 ms": "p50_ms",
    "p99 ms": "p99_ms",
    "images/s": "throughput_per_s",
    "speed-up": "speedup",
    "relative L2": "relative_l2",
}
"""The columns, and the figures that they show."""


def change_table(changes: Iterable[Change]) -> Table:
    """Return a row per key: ``old -> new (change)``."""
    found = list(changes)
    columns = figure_cells([(each.old, each.new) for each in found])
    keys = [each.key for each in found]
    return filled_table(("", *columns), [list(zip(keys, *columns.values(), strict=True))])


def figure_cells(pairs: Sequence[tuple[Figures | None, Figures]]) -> dict[str, list[str]]:
    """Return the cells of figures before and after, by heading; without those that nothing has."""
    return {
        heading: cells
        for heading, name in FIGURES.items()
        if any(cells := [_cell(old, new, name) for old, new in pairs])
    }


def _cell(old: Figures | None, new: Figures, name: str) -> str:
    before = old.get(name) if old else None
    after = new.get(name)
    if before is None:
        return "" if after is None else f"new {after:g}"
    if after is None:
        return f"{before:g} -> none"
    if after == before:
        return f"{after:g}"
    return f"{before:g} -> {after:g}{_share(before, after)}"


def _share(before: float, after: float) -> str:
    return f" ({after / before - 1:+.1%})" if before else ""
