"""What a test's report carries of this package, from a worker and to other plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.plugin.state import ATTEMPT, RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pytest

    from pytest_infer.case import Case

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
    records = [record.as_dict() for record in item.stash.get(RECORDS, [])]
    item.stash[RECORDS] = []
    number = item.stash[ATTEMPT]
    setattr(report, NUMBER, number)
    setattr(report, REPORTED, [{**record, "attempt": number} for record in records])
    if case:
        setattr(report, CASE, case.id)
    if report.when == "setup":  # an earlier attempt's are no longer true
        item.user_properties[:] = [each for each in item.user_properties if not _is_ours(each)]
    item.user_properties += _properties(records)
    report.user_properties = list(item.user_properties)


def records_in(report: pytest.TestReport) -> list[dict[str, Any]]:
    """Return the records that a report carries."""
    found: list[dict[str, Any]] = getattr(report, REPORTED, [])
    return found


def shown_status(records: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the status by which a test that has not failed is shown; None if it has passed."""
    statuses = {record["status"] for record in records}
    return next((status for status in SHOWN if status in statuses), None)


def status_in(properties: Iterable[tuple[str, object]]) -> str | None:
    """Return the same of a test's properties."""
    names = {name for name, _ in properties}
    return next((status for name, status in PROPERTIES.items() if name in names), None)


def short_lines(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line per verdict that is neither a pass nor a failure, as ``-ra`` has them."""
    return [
        f"{record['status'].upper()} {record['test']} - {record['message'].splitlines()[0]}"
        for status in SHOWN
        for record in records
        if record["status"] == status
    ]


def _properties(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, object]]:
    return [
        (f"infer_{record['status']}", record["message"])
        for record in records
        if record["status"] in SHOWN
    ]


def _is_ours(each: tuple[str, object]) -> bool:
    return each[0] in PROPERTIES
