"""Two results side by side, as one page: what became worse first, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pytest_infer.reports.columns import ERROR, P50, SPEEDUP
from pytest_infer.reports.compare import (
    Pair,
    grown_pairs,
    headline_of,
    origin_of,
    origins,
    pairs_of,
)
from pytest_infer.reports.page.cases import SIGNS, Told, anchor_of, case_views
from pytest_infer.reports.page.environment import asset, template_environment

if TYPE_CHECKING:
    from pytest_infer.reports.columns import Column
    from pytest_infer.reports.result import Result
    from pytest_infer.reports.summary import Row

WIDEST = 1.0
"""A change of the median that fills half of its bar; larger ones are drawn as this one."""

T = TypeVar("T")

MOST_TOLD = 60
"""Cases with a worse verdict that are told in full; the table has them all."""


@dataclass(frozen=True)
class Badge:
    """A verdict of one side."""

    status: str
    sign: str
    text: str


@dataclass(frozen=True)
class PairView:
    """One case on both sides, in texts."""

    id: str
    anchor: str
    verdicts: Sequence[Badge]
    """One where both sides agree, or one of them lacks the case."""
    figures: Sequence[Sequence[str]]
    """Under `COLUMNS`: what both sides have, or one."""
    change: str
    at: float | None
    """Where the change is drawn, in per cent of the width; the middle is no change."""
    kind: str
    """``fail`` for what became worse or slower, ``pass`` for what became better or faster."""
    note: str
    told: Sequence[Told]
    """Verdicts of the newer side, where they became worse."""


COLUMNS: tuple[Column, ...] = (P50, SPEEDUP, ERROR)


def comparison_text(old: Result, new: Result, names: tuple[str, str]) -> str:
    """Return the page; ``names`` say what the two results are called."""
    pairs = pairs_of(old, new)
    told = {each.id: each.failures for each in case_views(new.records)}
    views = [_view(pair, told.get(pair.case_id, [])) for pair in pairs]
    worse = [view for view, pair in zip(views, pairs, strict=True) if pair.is_worse]
    content = {
        "css": asset("page.css"),
        "js": asset("theme.js"),
        "plugin": new.run.plugin,
        "sides": list(
            zip(("A, before", "B, after"), names, map(origin_of, (old, new)), strict=True)
        ),
        "title": _title(pairs),
        "status": "fail" if worse else "pass",
        "signs": SIGNS,
        "counts": _counts(pairs),
        "origins": origins(old, new),
        "grown_pairs": grown_pairs(old, new),
        "worse": worse[:MOST_TOLD],
        "left": len(worse) - MOST_TOLD,
        "differing": [each for each in views if each.note],
        "same": [each for each in views if not each.note],
        "columns": [each.heading for each in COLUMNS],
    }
    return template_environment().get_template("comparison.html").render(content)


def _title(pairs: Sequence[Pair]) -> str:
    return headline_of(pairs) if pairs else "No case was judged"


def _counts(pairs: Sequence[Pair]) -> list[tuple[str, int]]:
    """Return how often each note is among the pairs; those without one are the same."""
    notes = [note for pair in pairs for note in (pair.note or "the same").split(", ")]
    return [(note, notes.count(note)) for note in dict.fromkeys(notes)]


def _view(pair: Pair, told: Sequence[Told]) -> PairView:
    change = pair.change
    return PairView(
        id=pair.case_id,
        anchor=anchor_of(pair.case_id),
        verdicts=_both(_badge(pair.old), _badge(pair.new)),
        figures=[_both(_cell(pair.old, each), _cell(pair.new, each)) for each in COLUMNS],
        change="" if change is None else f"{change:+.1%}",
        at=None if change is None else round(50 + 48 * max(-1, min(1, change / WIDEST)), 1),
        kind=_kind(pair.note),
        note=pair.note,
        told=told if pair.is_worse else (),
    )


def _kind(note: str) -> str:
    if "worse" in note or "slower" in note:
        return "fail"
    return "pass" if "better" in note or "faster" in note else ""


def _badge(row: Row | None) -> Badge | None:
    if row is None:
        return None
    text = row.status if row.status == "pass" else f"{row.status}: {row.code}"
    return Badge(row.status, SIGNS[row.status], text)


def _cell(row: Row | None, column: Column) -> str:
    return "" if row is None else column.cell(row.figures)


def _both(old: T | None, new: T | None) -> list[T]:
    """Return both values; one where they are equal, or where a side has none."""
    return list(dict.fromkeys(each for each in (old, new) if each))
