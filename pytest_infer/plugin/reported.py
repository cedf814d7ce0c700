"""What a test's report carries of this package, from a worker and to other plugins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_infer.plugin.state import ATTEMPT, RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

    from pytest_infer.case import Case
    from pytest_infer.reports.record import Record

REPORTED = "infer_records"
"""The attribute of a report that holds its test's records."""

NUMBER = "infer_attempt"
"""The attribute that holds the number of the attempt at its test."""

CASE = "infer_case_id"
"""The attribute that holds the id of its test's case."""

SHOWN = {"inconclusive": ("?", "yellow"), "known": ("k", "yellow"), "new": ("n", "cyan")}
"""Statuses that are neither passed nor failed: the letter and the colour of their tests."""

PROPERTIES = {f"infer_{status}": status for status in SHOWN}
"""Properties of a test, as JUnit and other reports have them; the values are messages."""


def attach(report: pytest.TestReport, item: pytest.Item, case: Case | None) -> None:
    """Move what a phase of a test has recorded to its report."""
    number = item.stash[ATTEMPT]
    file, line, _ = report.location
    records = [
        replace(record, attempt=number, file=file, line=(line or 0) + 1)
        for record in item.stash.get(RECORDS, [])
    ]
    item.stash[RECORDS] = []
    setattr(report, NUMBER, number)
    setattr(report, REPORTED, [record.as_dict() for record in records])
    if case:
        setattr(report, CASE, case.id)
    if report.when == "setup":  # an earlier attempt's are no longer true
        item.user_properties[:] = [each for each in item.user_properties if not _is_ours(each)]
    item.user_properties += _properties(records)
    report.user_properties = list(item.user_properties)


def records_in(report: pytest.TestReport) -> list[Record]:
    """Return the records that a report carries."""
    from pytest_infer.reports.record import record_from_dict

    return [record_from_dict(each) for each in getattr(report, REPORTED, [])]


def shown_status(records: Iterable[Record]) -> str | None:
    """Return the status by which a test that has not failed is shown; None if it has passed."""
    statuses = {record.status for record in records}
    return next((status for status in SHOWN if status in statuses), None)


def status_in(properties: Iterable[tuple[str, object]]) -> str | None:
    """Return the same of a test's properties."""
    names = {name for name, _ in properties}
    return next((status for name, status in PROPERTIES.items() if name in names), None)


def short_lines(records: Iterable[Record]) -> list[str]:
    """Return a line per verdict that is neither a pass nor a failure, as ``-ra`` has them."""
    return [
        f"{record.status.upper()} {record.test} - {record.message.splitlines()[0]}"
        for status in SHOWN
        for record in records
        if record.status == status
    ]


def _properties(records: Sequence[Record]) -> list[tuple[str, object]]:
    return [
        (f"infer_{record.status}", record.message) for record in records if record.status in SHOWN
    ]


def _is_ours(each: tuple[str, object]) -> bool:
    return each[0] in PROPERTIES
