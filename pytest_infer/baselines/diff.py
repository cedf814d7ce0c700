"""The difference of two folders of baselines, key by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_infer.baselines.change import figure_cells
from pytest_infer.baselines.entry import Entry, Measured
from pytest_infer.reports.terminal import filled_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from pytest_infer.baselines.folder import Baselines


@dataclass(frozen=True)
class Difference:
    """One key whose entries differ; None on the side that has none."""

    key: str
    old: Entry | None
    new: Entry | None

    @property
    def note(self) -> str:
        """Return what else is to be said than figures: where it is, and what has changed since."""
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
    return [
        f"{name} {before.get(name) or 'none'} -> {after.get(name) or 'none'}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _content(entry: Entry | None) -> object:
    return entry and (entry.figures, entry.gate)
