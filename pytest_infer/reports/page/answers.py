"""In short: a sentence on each question that a reader comes with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING

from pytest_infer.reports.page.cases import SIGNS, CaseView
from pytest_infer.reports.page.errors import ratio_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.reports.layer_losses import CaseLosses
    from pytest_infer.reports.page.speeds import Bars

MOST_CHANGES = 40
"""Lines of a table of changes or of errors; the table of all cases has the others."""

MOST_NAMED = 2
"""Things of an answer that fit in; of more models and batches than that, engines are counted."""


@dataclass(frozen=True)
class Answer:
    """A question, what is answered, and where the page has more of it."""

    question: str
    status: str
    text: str
    link: str

    @property
    def sign(self) -> str:
        """Return the sign of its status; of what is neither good nor bad a point."""
        return SIGNS[self.status] if self.status != "new" else "·"


@dataclass(frozen=True)
class Change:
    """A case that the gate has compared with its baseline."""

    case: CaseView
    change: float
    limit: float
    word: str
    at: float
    """Where the change is drawn, in per cent of the width; the middle is no change."""
    limit_at: float


@dataclass(frozen=True)
class Worst:
    """A case by how much of its tolerance it needs."""

    case: CaseView
    ratio: str
    at: float
    """In per cent of the width, by decades; 75 is the tolerance."""


def changes_of(cases: Sequence[CaseView]) -> list[Change]:
    """Return the cases that were compared with a baseline, the most slowed down first."""
    found = [each for each in cases if "change" in each.figures and "limit" in each.figures]
    widest = max((abs(each.figures[n]) for each in found for n in ("change", "limit")), default=1.0)
    changes = [_change(each, widest or 1.0) for each in found]
    return sorted(changes, key=lambda each: -each.change)


def _change(case: CaseView, widest: float) -> Change:
    change, limit = case.figures["change"], case.figures["limit"]
    return Change(
        case,
        change,
        limit,
        _word(case, change, limit),
        round(50 + 48 * change / widest, 1),
        round(50 + 48 * limit / widest, 1),
    )


def _word(case: CaseView, change: float, limit: float) -> str:
    if change > limit:
        return "slower"
    if any(each.code == "improved" for each in case.verdicts):
        return "faster"
    return "unchanged" if abs(change) <= limit else "not told apart"


def worst_of(cases: Sequence[CaseView]) -> list[Worst]:
    """Return the cases whose outputs were judged, those nearest to their tolerance first."""
    found = [each for each in cases if each.figures.get("worst_ratio") is not None]
    ordered = sorted(found, key=lambda each: -each.figures["worst_ratio"])
    return [
        Worst(
            each,
            ratio_text(each.figures["worst_ratio"]),
            round(min(max(75 + 25 * log10(max(each.figures["worst_ratio"], 1e-6)), 1), 99), 1),
        )
        for each in ordered
    ]


def answers_of(
    cases: Sequence[CaseView],
    bars: Sequence[Bars],
    changes: Sequence[Change],
    worst: Sequence[Worst],
    *,
    unread: Sequence[str],
    losses: Sequence[CaseLosses],
) -> list[Answer]:
    """Return the answers that the page begins with; ``unread`` models have no case."""
    int8 = [_lost(losses)] if any(each.precision == "int8" for each in cases) else []
    slower = _slower(changes, cases)
    return [_failed(cases, unread), _shipped(bars), slower, _wrong(worst), *int8]


def _failed(cases: Sequence[CaseView], unread: Sequence[str]) -> Answer:
    question = "What failed?"
    bad = [each for each in cases if each.status == "fail"]
    told = [f"{', '.join(unread)} could not be read"] if unread else []
    if bad:
        first = bad[0]
        more = f", and {len(bad) - 1} more of {len(cases)}" if len(bad) > 1 else ""
        told.append(f"{first.id} ({first.code}){more}")
    if told:
        return Answer(question, "fail", "; ".join(told), "failures" if bad else "run")
    unclear = [each for each in cases if each.status == "inconclusive"]
    if unclear:
        text = f"nothing; {len(unclear)} of {len(cases)} cases have no conclusion"
        return Answer(question, "inconclusive", text, "failures")
    return Answer(question, "pass", f"nothing, of {len(cases)} cases", "cases")


def _shipped(bars: Sequence[Bars]) -> Answer:
    question = "Which engine is fastest and right?"
    best = [(each, each.best) for each in bars]
    told = [
        f"{each.model} b{each.batch}: {case.engine} {case.precision}" for each, case in best if case
    ]
    if len(told) > MOST_NAMED:
        names = Counter(f"{case.engine} {case.precision}" for _, case in best if case)
        told = [f"{name} in {count} of {len(bars)}" for name, count in names.most_common()]
    if not bars:
        return Answer(question, "new", "nothing was timed in this run", "cases")
    if not told:
        return Answer(question, "fail", "none: something speaks against each", "latency")
    more = f"; {len(told) - MOST_NAMED} more below" if len(told) > MOST_NAMED else ""
    return Answer(question, "pass", "; ".join(told[:MOST_NAMED]) + more, "latency")


def _slower(changes: Sequence[Change], cases: Sequence[CaseView]) -> Answer:
    """Answer by the gate, which tells small changes; of what it has not compared, by earlier runs.

    What crept over many runs is told beside it: each step of a creep may be within the limit.
    """
    crept = [each for each in cases if each.past and each.past.drift and each.past.drift.change > 0]
    past = [each for each in cases if each.past]
    if changes:
        return _gated(changes, crept)
    question = "Is it slower than before?"
    if not past:
        return Answer(question, "new", "nothing was compared by the gate in this run", "cases")
    if not crept:
        return Answer(
            question, "pass", f"no: {len(past)} cases compared with earlier runs", "cases"
        )
    first = crept[0]
    drift = first.past.drift.change if first.past and first.past.drift else 0.0
    text = f"{first.id}: {drift:+.1%} over its runs{_more(crept)}"
    return Answer(question, "inconclusive", text, "past")


def _gated(changes: Sequence[Change], crept: Sequence[CaseView]) -> Answer:
    question = "Is it slower than its baseline?"
    slower = [each for each in changes if each.word == "slower"]
    if slower:
        first = slower[0]
        status = "fail" if any(each.case.status == "fail" for each in slower) else "inconclusive"
        text = f"{first.case.id}: {first.change:+.1%}{_more(slower)}"
        return Answer(question, status, text, "changes")
    if crept:
        text = f"no, but over runs: {crept[0].id}{_more(crept)}"
        return Answer(question, "inconclusive", text, "past")
    faster = sum(each.word == "faster" for each in changes)
    return Answer(question, "pass", f"no: {len(changes)} compared, {faster} faster", "changes")


def _more(found: Sequence[object]) -> str:
    return f", and {len(found) - 1} more" if len(found) > 1 else ""


def _lost(losses: Sequence[CaseLosses]) -> Answer:
    question = "Where does int8 lose?"
    known = [each.losses for each in losses if each.losses.layers]
    if not known:
        return Answer(question, "new", "not measured: add --infer-int8-loss", "cases")
    first = max(known, key=lambda each: each.together)
    worst = first.layers[0]
    text = f"{first.model}: {worst.node} most, {worst.loss:.1e} of"
    more = f"; {len(known) - 1} more below" if len(known) > 1 else ""
    return Answer(question, "new", f"{text} {first.together:.1e}{more}", "int8")


def _wrong(worst: Sequence[Worst]) -> Answer:
    question = "Where is the error largest?"
    if not worst:
        return Answer(question, "new", "no outputs were judged in this run", "cases")
    first = worst[0]
    status = "fail" if first.case.figures["worst_ratio"] > 1 else "pass"
    text = f"{first.case.id}: {first.ratio} of what is allowed"
    return Answer(question, status, text, "errors")
