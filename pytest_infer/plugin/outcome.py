"""How a test is reported that ended in an `InferError`, or should have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.border import from_fixture
from pytest_infer.engines.requests import build_request
from pytest_infer.errors import InferError
from pytest_infer.judges.known_failures import known_failure
from pytest_infer.plain_text import encodable, plain_text
from pytest_infer.plugin.state import records_of, state_of
from pytest_infer.reports.record import record_from_error, record_from_news

if TYPE_CHECKING:
    import pytest

    from pytest_infer.case import Case
    from pytest_infer.judges.known_failures import KnownFailure

FIXTURES = str(Path(__file__).with_name("fixtures.py"))

USES_ENGINE = "infer_engine"
"""The fixture without which a test says nothing of its engine's failures."""


def settle_report(
    report: pytest.TestReport, item: pytest.Item, case: Case, error: BaseException | None
) -> None:
    """Show an `InferError` without a traceback, and make known failures expected ones.

    A known failure that changed, or that is gone after the test's engine was used, fails.
    """
    error = from_fixture(error, FIXTURES)
    known = known_failure(case, lambda: build_request(case).options, lambda: _versions(item, case))
    if isinstance(error, InferError):
        _settle_error(report, item, case, error, known)
    elif known and report.when == "call" and report.passed and USES_ENGINE in _fixtures(item):
        _fail(report, item, case, known.news("gone", None))


def told(error: InferError) -> str:
    """Return what is shown of an `InferError`, instead of a traceback."""
    return encodable(str(error))


def told_once(error: InferError, item: pytest.Item) -> str:
    """Return what is shown of a model that cannot be read: its error, for the first of its tests.

    The others end alike, and name the first.
    """
    text = told(error)
    first = state_of(item.config).first_told.setdefault(text, item.nodeid)
    return text if first == item.nodeid else encodable(plain_text(f"{error.what}: see {first}"))


def _settle_error(
    report: pytest.TestReport,
    item: pytest.Item,
    case: Case,
    error: InferError,
    known: KnownFailure | None,
) -> None:
    settled = known.settle(error) if known else None
    if known and settled == "changed":
        _fail(report, item, case, known.news(settled, error))
        return
    report.longrepr = told(error)
    if known:
        report.outcome = "skipped"  # with wasxfail, pytest's own way to say: failed as expected
        report.wasxfail = known.because
    records_of(item).append(record_from_error(error, case, item.nodeid, known))


def _fail(report: pytest.TestReport, item: pytest.Item, case: Case, news: str) -> None:
    report.outcome = "failed"
    report.longrepr = encodable(plain_text(news))
    records_of(item).append(record_from_news(news, case, item.nodeid))


def _versions(item: pytest.Item, case: Case) -> dict[str, Any]:
    """Return the versions of the libraries in the engine's host; none without an answer."""
    try:
        return state_of(item.config).session.artefacts.identities.runtime(case.engine)
    except InferError:
        return {}


def _fixtures(item: pytest.Item) -> list[str]:
    return list(getattr(item, "fixturenames", ()))
