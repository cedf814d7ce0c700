"""Failures where a CI shows them beside the code: GitHub's annotations, GitLab's code quality."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pytest_infer.plain_text import plain_text
from pytest_infer.reports.message import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_infer.reports.record import Record
    from pytest_infer.reports.result import Result

GITHUB = {"fail": "error", "inconclusive": "warning"}
GITLAB = {"fail": "major", "inconclusive": "minor"}
"""What each calls the statuses that are worth a mark at the test's line."""

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def github_text(result: Result) -> str:
    """Return a workflow command per failure and per verdict that is inconclusive.

    A step of the job prints them: ``cat PATH``. What others wrote is escaped as the runner's own
    toolkit does, so that it ends neither its command nor its line.
    """
    return "".join(f"{_command(record)}\n" for record in _marked(result, GITHUB))


def _command(record: Record) -> str:
    place = {"file": record.file, "line": str(record.line or 1)} if record.file else {}
    properties = {**place, "title": f"{record.case_id}: {record.code}"}
    told = ",".join(
        f"{name}={plain_text(value).translate(_PROPERTY)}" for name, value in properties.items()
    )
    message = plain_text(record.message).translate(_DATA)
    return f"::{GITHUB[record.status]} {told}::{message}"


def gitlab_text(result: Result) -> str:
    """Return a code quality report, which a merge request shows at the tests' lines."""
    issues = [_issue(record) for record in _marked(result, GITLAB)]
    return json.dumps(issues, indent=2) + "\n"


def _issue(record: Record) -> dict[str, Any]:
    what, parts = parts_of(plain_text(record.message))
    key = "\0".join((record.test, record.case_id, record.judge, record.code))
    return {
        "check_name": f"pytest-infer/{record.judge}/{record.code}",
        "description": "\n".join([what, *(f"{label}: {text}" for label, text in parts)]),
        "fingerprint": sha256(key.encode(errors="backslashreplace")).hexdigest(),
        "severity": GITLAB[record.status],
        "location": {
            "path": plain_text(record.file or record.test),
            "lines": {"begin": record.line or 1},
        },
    }


def _marked(result: Result, kinds: Mapping[str, str]) -> Iterator[Record]:
    return (record for record in result.records if record.status in kinds)
