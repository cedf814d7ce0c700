"""One judged case, as it crosses from a worker to the process that reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_infer.case import Case, case_from_dict
from pytest_infer.stored_gate import Gate
from pytest_infer.verdict import ToStore

if TYPE_CHECKING:
    from pytest_infer.errors import InferError
    from pytest_infer.judges.known_failures import KnownFailure
    from pytest_infer.verdict import Verdict


@dataclass(frozen=True)
class Record:
    """A verdict, the case it is about, the test that asked for it and the device it ran on."""

    test: str
    case: Case
    judge: str
    status: str
    code: str
    message: str
    figures: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    bounds: Mapping[str, float] | None = None
    to_store: ToStore | None = None
    artefact: str | None = None
    device: Mapping[str, Any] = field(default_factory=dict)
    runtime: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1
    """Which attempt at the test this is from, where another plugin runs tests again."""
    file: str = ""
    """Where the test stands, from pytest's root folder on."""
    line: int = 0
    """Counted from 1; 0 is unknown."""

    @property
    def case_id(self) -> str:
        """Return the id of its case."""
        return self.case.id

    def as_dict(self) -> dict[str, Any]:
        """Return what a report file has of it, JSON-able."""
        return {
            "test": self.test,
            "case": self.case.as_dict(),
            "case_id": self.case.id,
            "judge": self.judge,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "figures": dict(self.figures),
            "details": {**self.details, **self._typed_details()},
            "device": dict(self.device),
            "runtime": dict(self.runtime),
            "attempt": self.attempt,
            "file": self.file,
            "line": self.line,
        }

    def _typed_details(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.bounds is not None:
            found["bounds"] = dict(self.bounds)
        if self.to_store is not None:
            found["gate"] = msgspec.to_builtins(self.to_store.gate)
            found |= {"renews": True} if self.to_store.renews else {}
        if self.artefact is not None:
            found["artefact"] = self.artefact
        return found


def record_from_dict(fields: Mapping[str, Any]) -> Record:
    """Return the record of which `Record.as_dict` made ``fields``."""
    details = dict(fields["details"])
    gate, renews = details.pop("gate", None), details.pop("renews", False)
    rest = {name: value for name, value in fields.items() if name != "case_id"}
    return Record(
        **{
            **rest,
            "case": case_from_dict(fields["case"]),
            "bounds": details.pop("bounds", None),
            "to_store": None if gate is None else _to_store(gate, renews=renews),
            "artefact": details.pop("artefact", None),
            "details": details,
        }
    )


def record_from_verdict(verdict: Verdict, case: Case, test: str, **origin: Any) -> Record:
    """Return the record of a verdict; ``origin`` is the device and runtime it came from."""
    return Record(
        test=test,
        case=case,
        judge=verdict.judge,
        status=verdict.status,
        code=verdict.code,
        message=verdict.message,
        figures=dict(verdict.figures),
        details=dict(verdict.details),
        bounds=verdict.bounds,
        to_store=verdict.to_store,
        artefact=verdict.artefact,
        **origin,
    )


def record_from_error(
    error: InferError, case: Case, test: str, known: KnownFailure | None = None
) -> Record:
    """Return the record of a case that ended in an error before it could be judged.

    ``known`` is the entry of the ledger that expects this very error.
    """
    return Record(
        test=test,
        case=case,
        judge="engine",
        status="known" if known else "fail",
        code=type(error).__name__.removesuffix("Error").lower() + "-error",
        message=f"{error.what}: {known.because}" if known else str(error),
    )


def record_from_news(news: str, case: Case, test: str) -> Record:
    """Return the record of a known failure that changed or is gone."""
    return Record(
        test=test,
        case=case,
        judge="engine",
        status="fail",
        code="known-failure-changed",
        message=news,
    )


def _to_store(gate: Mapping[str, Any], *, renews: bool) -> ToStore:
    return ToStore(msgspec.convert(gate, Gate), renews=renews)
