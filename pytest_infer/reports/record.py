"""One judged case, JSON-able: all that crosses from a worker to the process that reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_infer.case import Case
    from pytest_infer.errors import InferError
    from pytest_infer.judges.known_failures import KnownFailure
    from pytest_infer.verdict import Verdict


@dataclass(frozen=True)
class Record:
    """A verdict, the case it is about, the test that asked for it and the device it ran on."""

    test: str
    case: Mapping[str, Any]
    case_id: str
    judge: str
    status: str
    code: str
    message: str
    figures: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    device: Mapping[str, Any] = field(default_factory=dict)
    runtime: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1
    """Which attempt at the test this is from, where another plugin runs tests again."""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return asdict(self)


def record_from_verdict(verdict: Verdict, case: Case, test: str, **origin: Any) -> Record:
    """Return the record of a verdict; ``origin`` is the device and runtime it came from."""
    return Record(
        test=test,
        case=case.as_dict(),
        case_id=case.id,
        judge=verdict.judge,
        status=verdict.status,
        code=verdict.code,
        message=verdict.message,
        figures=dict(verdict.figures),
        details=dict(verdict.details),
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
        case=case.as_dict(),
        case_id=case.id,
        judge="engine",
        status="known" if known else "fail",
        code=type(error).__name__.removesuffix("Error").lower() + "-error",
        message=f"{error.what}: {known.because}" if known else str(error),
    )


def record_from_news(news: str, case: Case, test: str) -> Record:
    """Return the record of a known failure that changed or is gone."""
    return Record(
        test=test,
        case=case.as_dict(),
        case_id=case.id,
        judge="engine",
        status="fail",
        code="known-failure-changed",
        message=news,
    )
