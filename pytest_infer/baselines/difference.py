"""How baselines differ: two folders of them, or what a run has stored, as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pytest_infer.baselines.entry import Entry, Measured
from pytest_infer.baselines.versions import changed_versions
from pytest_infer.reports.columns import STORED
from pytest_infer.reports.table import filled_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.table import Table

    from pytest_infer.baselines.folder import Baselines
    from pytest_infer.baselines.store import Change

Figures: TypeAlias = "Mapping[str, float]"


@dataclass(frozen=True)
class Difference:
    """One key whose entries differ; None on the side that has none."""

    key: str
    old: Entry | None
    new: Entry | None

    @property
    def note(self) -> str:
        """Return where the entry is missing, or what has changed since."""
        if self.old is None:
            return "added"
        if self.new is None:
            return "removed"
        return ", ".join(changed_origin(self.old, self.new)) or "measured again"


def differences(old: Baselines, new: Baselines) -> list[Difference]:
    """Return the keys whose figures or measurements differ, sorted."""
    found = []
    for model in sorted({*old.models(), *new.models()}):
        before, after = old.read(model), new.read(model)
        found += [
            Difference(key, before.get(key), after.get(key))
            for key in sorted({*before, *after})
            if _content(before.get(key)) != _content(after.get(key))
        ]
    return found


def difference_table(found: Sequence[Difference]) -> Table:
    """Return a row per key: figures ``old -> new (change)``, and what else has changed."""
    columns = figure_cells(
        [
            (each.old.figures if each.old else None, each.new.figures if each.new else {})
            for each in found
        ]
    )
    keys, notes = [each.key for each in found], [each.note for each in found]
    rows = list(zip(keys, *columns.values(), notes, strict=True))
    return filled_table(("", *columns, "note"), [rows])


def changed_origin(old: Entry, new: Entry) -> list[str]:
    """Return which versions and driver are others, as ``name old -> new``."""
    if not (isinstance(old.provenance, Measured) and isinstance(new.provenance, Measured)):
        return []
    before = {**old.provenance.versions, "driver": old.provenance.driver}
    after = {**new.provenance.versions, "driver": new.provenance.driver}
    return [str(each) for each in changed_versions(before, after)]


def _content(entry: Entry | None) -> object:
    return entry and (entry.figures, entry.gate)


def change_table(changes: Iterable[Change]) -> Table:
    """Return a row per key: ``old -> new (change)``."""
    found = list(changes)
    columns = figure_cells([(each.old, each.new) for each in found])
    keys = [each.key for each in found]
    return filled_table(("", *columns), [list(zip(keys, *columns.values(), strict=True))])


def figure_cells(pairs: Sequence[tuple[Figures | None, Figures]]) -> dict[str, list[str]]:
    """Return the cells of figures before and after, by heading; without those that nothing has."""
    return {
        column.heading: cells
        for column in STORED
        if any(cells := [_cell(*pair, column.figure) for pair in pairs])
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
