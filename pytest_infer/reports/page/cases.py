"""What the page shows of one case: its row, and below it everything that is known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_infer.case import settings_text, variant_text
from pytest_infer.plain_text import plain_text
from pytest_infer.reports.message import Part, parts_of
from pytest_infer.reports.page.calls import CallsChart, calls_chart
from pytest_infer.reports.page.changes import ChangeChart, change_chart
from pytest_infer.reports.page.errors import ErrorChart, error_chart, ratio_text
from pytest_infer.reports.page.layers import Layers
from pytest_infer.reports.page.past import PastChart, past_charts
from pytest_infer.reports.page.photographs import Photographs, photographs_of
from pytest_infer.reports.summary import SEVERITY, rows_from_records
from pytest_infer.units import BYTES_PER_MB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_infer.reports.history import Moment
    from pytest_infer.reports.record import Record
    from pytest_infer.reports.summary import Row

SIGNS = {"fail": "✗", "inconclusive": "?", "known": "≈", "new": "+", "pass": "✓"}
"""Of a status, beside its word and its colour."""

BUILT = (
    ("engine_bytes", "engine", "MB"),
    ("build_s", "built in", "s"),
    ("load_s", "loaded in", "s"),
    ("peak_host_bytes", "peak on the host", "MB"),
    ("device_bytes", "on the device", "MB"),
)


_ADDRESS = re.compile("0x[0-9a-f]+")


@dataclass(frozen=True)
class Told:
    """One verdict in words, and the charts that belong to it."""

    status: str
    judge: str
    code: str
    test: str
    place: str
    what: str
    parts: Sequence[Part]
    errors: ErrorChart | None
    photographs: Photographs
    others: Sequence[str] = ()
    """Further tests that failed in the very same words."""

    @property
    def sign(self) -> str:
        """Return the sign of the status."""
        return SIGNS[self.status]


@dataclass(frozen=True)
class CaseView:
    """One case."""

    id: str
    anchor: str
    model: str
    engine: str
    precision: str
    batch: int
    device: str
    status: str
    code: str
    figures: Mapping[str, float]
    verdicts: Sequence[Told]
    calls: CallsChart | None
    change: ChangeChart | None
    past: PastChart | None
    facts: Sequence[tuple[str, str]]
    """What was built from what."""
    layers: Layers = field(default_factory=Layers)

    @property
    def sign(self) -> str:
        """Return the sign of the status."""
        return SIGNS[self.status]

    @property
    def rank(self) -> int:
        """Return the place of the status, the worst first."""
        return SEVERITY.index(self.status)

    @property
    def verdict(self) -> str:
        """Return the status, and the code unless it says no more."""
        return self.status if self.status == "pass" else f"{self.status}: {self.code}"

    @property
    def is_slower(self) -> bool:
        """Return whether it is slower than its baseline, or has become slower over its runs."""
        change, limit = self.figures.get("change"), self.figures.get("limit")
        is_regressed = change is not None and limit is not None and change > limit
        drift = self.past.drift if self.past else None
        return is_regressed or (drift is not None and drift.change > 0)

    @property
    def ratio(self) -> str:
        """Return how much of the tolerance the worst check took."""
        worst = self.figures.get("worst_ratio")
        return "" if worst is None else ratio_text(worst)

    @property
    def codes(self) -> str:
        """Return the codes of all verdicts, each once."""
        return " ".join(dict.fromkeys(each.code for each in self.verdicts))

    @property
    def failures(self) -> list[Told]:
        """Return the verdicts of the case's own status, each once for all tests in its words."""
        found: dict[object, Told] = {}
        for each in self.verdicts:
            if each.status != self.status:
                continue
            key = (each.judge, each.code, each.what, *(_lasting(part) for part in each.parts))
            first = found.get(key)
            found[key] = replace(first, others=[*first.others, each.test]) if first else each
        return list(found.values())


def _lasting(part: Part) -> str:
    """Return a part of a message without addresses, which differ between processes."""
    return part.label + _ADDRESS.sub("", part.text)


def case_views(
    records: Sequence[Record],
    history: Sequence[Moment] = (),
    layers: Mapping[str, Layers] | None = None,
) -> list[CaseView]:
    """Return what is shown of each case, in the order of the terminal's table."""
    known = layers or {}
    past = past_charts(records, history)
    own: dict[str, list[Record]] = {}
    for record in records:
        own.setdefault(record.case_id, []).append(record)
    return [
        _view(
            row,
            own[row.case.id],
            past.get(row.case.id),
            known.get(row.case.id, Layers()),
        )
        for row in rows_from_records(records)
    ]


def anchor_of(case_id: str) -> str:
    """Return the name by which a case is linked to."""
    return "case-" + quote(case_id, safe="", errors="backslashreplace")


def _view(row: Row, records: Sequence[Record], past: PastChart | None, layers: Layers) -> CaseView:
    case = row.case
    details = _merged(records)
    return CaseView(
        id=row.case.id,
        anchor=anchor_of(row.case.id),
        model=case.model + variant_text(case.variant),
        engine=case.engine + settings_text(dict(case.options)),
        precision=case.precision,
        batch=case.batch,
        device=case.device,
        status=row.status,
        code=row.code,
        figures=row.figures,
        verdicts=_verdicts(records),
        calls=calls_chart(details.get("samples", {})),
        change=change_chart(details["compared"], row.figures) if "compared" in details else None,
        past=past,
        facts=list(_facts(row, records, details)),
        layers=layers,
    )


def _merged(records: Iterable[Record]) -> dict[str, Any]:
    """Return the details of all of a case's records; of equal names the last."""
    found: dict[str, Any] = {}
    for record in records:
        found |= record.details
    return found


def _verdicts(records: Sequence[Record]) -> list[Told]:
    ordered = sorted(records, key=lambda record: SEVERITY.index(record.status))
    seen: set[str] = set()
    return [_told(record, seen) for record in ordered]


def _told(record: Record, seen: set[str]) -> Told:
    """Return a verdict; checks that an earlier one shows already are not drawn twice."""
    what, parts = parts_of(plain_text(record.message))
    checks = record.details.get("checks", [])
    key = repr(checks)
    is_shown = key not in seen
    seen.add(key)
    line = f":{record.line}" if record.line else ""
    return Told(
        status=record.status,
        judge=record.judge,
        code=record.code,
        test=record.test,
        place=f"{record.file}{line}",
        what=what,
        parts=parts,
        errors=error_chart(checks) if is_shown else None,
        photographs=photographs_of(record.details),
    )


def _facts(
    row: Row, records: Sequence[Record], details: Mapping[str, Any]
) -> Iterable[tuple[str, str]]:
    evidence = details.get("evidence", {})
    if evidence:
        share = f" ({evidence['precision_share']:.0%} of it)"
        yield "ran in", f"{evidence['precision']}{share} on {evidence['device']}"
    for name, label, unit in BUILT:
        if name in row.figures:
            value = row.figures[name] / (BYTES_PER_MB if unit == "MB" else 1)
            yield label, f"{value:.4g} {unit}"
    if artefact := next((r.artefact for r in records if r.artefact), ""):
        yield "artefact", artefact
    for name, value in sorted(evidence.get("details", {}).items()):
        yield name.replace("_", " "), _short(value)
    runtime = next((r.runtime for r in records if r.runtime), {})
    if runtime:
        yield "libraries", ", ".join(f"{name} {value}" for name, value in sorted(runtime.items()))
    device = next((r.device for r in records if r.device), {})
    if device:
        yield "device", ", ".join(f"{name} {value}" for name, value in sorted(device.items()))


MOST_CHARACTERS = 200


def _short(value: Any) -> str:
    """Return a value of an engine's evidence, cut where it is long."""
    text = _words(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


def _words(value: Any) -> str:
    """Return a value as people write it: the pairs of a mapping without its signs."""
    if isinstance(value, Mapping):
        pairs = [(name, each, isinstance(each, Mapping)) for name, each in value.items()]
        return ", ".join(
            f"{name} ({_words(each)})" if is_nested else f"{name} {_words(each)}"
            for name, each, is_nested in pairs
        )
    return ", ".join(map(_words, value)) if isinstance(value, (list, tuple)) else str(value)
