"""Two results side by side: drivers, engines, branches, machines."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_infer.reports.columns import ERROR, P50, SPEEDUP
from pytest_infer.reports.markdown import escaped, table
from pytest_infer.reports.profile import grown_layers, profiles_of
from pytest_infer.reports.run_info import SHORT_COMMIT
from pytest_infer.reports.summary import SEVERITY, Row, rows_from_records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_infer.reports.columns import Column
    from pytest_infer.reports.profile import Grown, Profile
    from pytest_infer.reports.result import Result

HEADINGS = ("case", "verdict", P50.heading, "change", SPEEDUP.heading, ERROR.heading, "note")

TOLD_APART = 0.1
"""A change of the median that is said to be one, as a share.

Each side is one process at one time: between two of them a CPU differs by several per cent. The
latency gate tells smaller changes apart, by a reference net that is measured beside.
"""


@dataclass(frozen=True)
class Pair:
    """One case on both sides; None on the side that lacks it."""

    case_id: str
    old: Row | None
    new: Row | None
    dropped: tuple[str, ...] = ()
    """What judged it on the old side, and not on the new one."""

    @property
    def change(self) -> float | None:
        """Return by how much the median changed, as a share; None where a side has none."""
        old, new = self._both("p50_ms")
        return new / old - 1 if old and new else None

    @property
    def note(self) -> str:
        """Return what a reader is to look at; empty where nothing is to be told apart."""
        if self.old is None:
            return "only in B, fails" if self.is_worse else "only in B"
        if self.new is None:
            return "only in A"
        notes = []
        if self.is_worse:
            notes.append("worse verdict")
        elif self.old.status != self.new.status and not self.dropped:
            notes.append("better verdict")
        if self.dropped:
            notes.append(f"B did not judge its {', '.join(self.dropped)}")
        if self.change is not None and abs(self.change) > TOLD_APART:
            notes.append("slower" if self.change > 0 else "faster")
        return ", ".join(notes)

    @property
    def is_worse(self) -> bool:
        """Return whether the new side has a worse verdict, or a failing case that was not there."""
        if self.new is None:
            return False
        if self.old is None:
            return self.new.status == "fail"
        return SEVERITY.index(self.new.status) < SEVERITY.index(self.old.status)

    def cells(self) -> tuple[str, ...]:
        """Return the texts under `HEADINGS`."""
        change = self.change
        return (
            self.case_id,
            _arrow(*(_verdict(row) if row else "" for row in (self.old, self.new))),
            self._cell(P50),
            "" if change is None else f"{change:+.1%}",
            self._cell(SPEEDUP),
            self._cell(ERROR),
            self.note,
        )

    def _both(self, name: str) -> tuple[float | None, float | None]:
        old = None if self.old is None else self.old.figures.get(name)
        new = None if self.new is None else self.new.figures.get(name)
        return old, new

    def _cell(self, column: Column) -> str:
        return _arrow(*(column.cell(row.figures) if row else "" for row in (self.old, self.new)))


def headline_of(pairs: Sequence[Pair]) -> str:
    """Return in one line whether anything became worse, and how many cases are gone."""
    worse = sum(pair.is_worse for pair in pairs)
    gone = sum(pair.new is None for pair in pairs)
    told = f"{worse} of {len(pairs)} cases are worse" if worse else "No verdict became worse"
    cases = f"case{'s' * (gone > 1)}"
    return told + (f", and {gone} {cases} of A did not run in B" if gone else "")


def layer_lines(old: Result, new: Result) -> list[str]:
    """Return of each case that was profiled on both sides which layers grew most.

    Only of those whose layers together take longer, or whose verdict or median is worse.
    """
    return [
        f"{case_id}: layers {before.total_ms:.3g} -> {after.total_ms:.3g} ms; grew most: "
        + "; ".join(each.told for each in grown)
        for case_id, before, after, grown in grown_pairs(old, new)
    ]


def grown_pairs(old: Result, new: Result) -> list[tuple[str, Profile, Profile, list[Grown]]]:
    """Return the id, both profiles and the layers that grew of each case with such layers.

    A case counts if its layers together, or its median, grew by more than `TOLD_APART`, or if its
    verdict is worse; what grew most in ms comes first.
    """
    before, after = profiles_of(old.records), profiles_of(new.records)
    looked_at = {
        pair.case_id for pair in pairs_of(old, new) if pair.is_worse or "slower" in pair.note
    }
    found = []
    for case_id in before.keys() & after.keys():
        first, second = before[case_id], after[case_id]
        is_slower = second.total_ms > first.total_ms * (1 + TOLD_APART)
        if is_slower or case_id in looked_at:
            found.append((case_id, first, second, grown_layers(first, second)))
    named = [each for each in found if each[3]]
    return sorted(named, key=lambda each: (each[1].total_ms - each[2].total_ms, each[0]))


def pairs_of(old: Result, new: Result) -> list[Pair]:
    """Return every case of both results; those to look at first, then in the table's order."""
    before = {row.case.id: row for row in rows_from_records(old.records)}
    after = {row.case.id: row for row in rows_from_records(new.records)}
    judges, kept = _judges(old), _judges(new)
    pairs = [
        Pair(key, before.get(key), after.get(key), tuple(sorted(judges[key] - kept[key])))
        for key in {**before, **after}
    ]
    return sorted(pairs, key=_place)


def _judges(result: Result) -> Mapping[str, set[str]]:
    """Return which judges each case had; of a case that is not there none."""
    found: dict[str, set[str]] = defaultdict(set)
    for record in result.records:
        found[record.case.id].add(record.judge)
    return found


def _place(pair: Pair) -> tuple[bool, bool, int]:
    """Return the place of a pair: worse verdicts first, the worst of them before the others."""
    severity = SEVERITY.index(pair.new.status) if pair.is_worse and pair.new else 0
    return not pair.is_worse, not pair.note, severity


def origins(old: Result, new: Result) -> list[tuple[str, str, str]]:
    """Return what differs of how the results were made: its name, and both values."""
    pairs = {"run": (origin_of(old), origin_of(new))}
    names = ("device", "runtime")
    for name in names:
        before, after = _merged(old, name), _merged(new, name)
        for key in {**before, **after}:
            pairs[f"{name} {key}"] = (before.get(key, "none"), after.get(key, "none"))
    return [(name, old, new) for name, (old, new) in pairs.items() if old != new]


def origin_of(result: Result) -> str:
    """Return when and from what a result was made."""
    run = result.run
    dirty = " with changes" if run.dirty else ""
    return f"{run.started or 'unknown'}, commit {run.commit[:SHORT_COMMIT] or 'unknown'}{dirty}"


def _merged(result: Result, name: str) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for record in result.records:
        values: Mapping[str, object] = getattr(record, name)
        for key, value in values.items():
            if str(value) not in found.setdefault(key, []):
                found[key].append(str(value))
    return {key: ", ".join(values) for key, values in found.items()}


def markdown_of(
    pairs: Sequence[Pair], told: Sequence[tuple[str, str, str]], layers: Sequence[str] = ()
) -> str:
    """Return the comparison in Markdown; ``layers`` are lines on what grew."""
    lines = [f"**{headline_of(pairs)}**", ""]
    lines += [f"- {escaped(name)}: {escaped(old)} → {escaped(new)}" for name, old, new in told]
    cells = [pair.cells() for pair in pairs]
    grown = ["", *(f"- {escaped(line)}" for line in layers)] if layers else []
    return "\n".join([*lines, "", *table(HEADINGS, cells), *grown]) + "\n"


def _verdict(row: Row) -> str:
    return row.status if row.status == "pass" else f"{row.status}: {row.code}"


def _arrow(old: str, new: str) -> str:
    """Return both values; one where they are equal, or where a side has none."""
    if not old or not new or old == new:
        return new or old
    return f"{old} → {new}"
