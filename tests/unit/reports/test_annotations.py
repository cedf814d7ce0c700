"""What GitHub and GitLab show at the tests' lines."""

import json

import pytest
from hostile import HOSTILE, hostile_result

from pytest_infer.case import Case
from pytest_infer.reports.annotations import github_text, gitlab_text
from pytest_infer.reports.counts import Coverage
from pytest_infer.reports.record import record_from_verdict
from pytest_infer.reports.result import Result
from pytest_infer.verdict import Verdict, failed

CASE = Case("toy", "ort", "fp32", 1, "cpu")
FAILED = failed(
    "parity", "diverged", what="it diverged", why="100% wrong", mend="look, here: there"
)
UNCLEAR = Verdict("baseline", "inconclusive", "noisy", "not quiet")
PASSED = Verdict("parity", "pass", "match", "fine")


def result():
    """Return a result with one verdict of each kind."""
    records = [
        record_from_verdict(each, CASE, "tests/test_a.py::test_it", file="tests/test_a.py", line=7)
        for each in (FAILED, UNCLEAR, PASSED)
    ]
    return Result(records, Coverage())


def test_github():
    """A failure is an error, what is inconclusive a warning, and a pass is nothing."""
    assert github_text(result()) == (
        "::error file=tests/test_a.py,line=7,title=toy-ort-fp32-b1%3A diverged::"
        "it diverged%0A  why:  100%25 wrong%0A  mend: look, here: there\n"
        "::warning file=tests/test_a.py,line=7,title=toy-ort-fp32-b1%3A noisy::not quiet\n"
    )


def test_gitlab():
    """The same as a code quality report; what comes again has the same fingerprint."""
    first, second = json.loads(gitlab_text(result()))
    assert first["check_name"] == "pytest-infer/parity/diverged"
    assert first["description"] == "it diverged\nwhy: 100% wrong\nmend: look, here: there"
    assert (first["severity"], second["severity"]) == ("major", "minor")
    assert first["location"] == {"path": "tests/test_a.py", "lines": {"begin": 7}}
    assert first["fingerprint"] != second["fingerprint"]
    assert json.loads(gitlab_text(result()))[0] == first


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_end_no_command(name):
    """A name or message is one line of one command, and cannot begin another."""
    lines = github_text(hostile_result(HOSTILE[name])).split("\n")
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::warning", ""]
    assert all(each.isprintable() for line in lines for each in line)
    for line in lines[:2]:
        command, _, message = line.removeprefix("::").partition("::")
        assert command.count(",") == 2
        assert message
    content = gitlab_text(hostile_result(HOSTILE[name]))
    assert content.isascii()
    assert "\x1b" not in json.loads(content)[0]["description"]
