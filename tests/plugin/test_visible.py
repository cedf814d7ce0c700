"""A verdict that is neither a pass nor a failure looks like neither, wherever results are read."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

TESTS = """
import pytest
from pytest_infer import Verdict

@pytest.mark.parametrize("status", ["pass", "new", "inconclusive", "known"])
def test_it(case, enforce, status):
    enforce(Verdict("parity", "pass", "match", "it is right"),
            Verdict("baseline", status, "code-of-it", f"the <message> of {status}\\nmore"))

def test_beside():
    pass
"""
UNCLEAR = ("new", "inconclusive", "known")


@pytest.fixture
def name(pytester: pytest.Pytester) -> str:
    """The name of a file whose tests have each status."""
    (pytester.path / "test_own.py").write_text(TESTS)
    return "test_own.py"


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "worker"])
def test_junit(run: Run, pytester: pytest.Pytester, name: str, workers: tuple[str, ...]) -> None:
    """Each has a property of its status, and its message as output; a pass has neither."""
    run(name, "--engine=ort", "--junitxml=junit.xml", *workers)
    tree = ElementTree.parse(pytester.path / "junit.xml")  # noqa: S314 - our own
    cases = {each.get("name"): each for each in tree.iter("testcase")}
    assert len(cases) == 5
    for status in UNCLEAR:
        case = cases[f"test_it[toy-ort-fp32-b1-{status}]"]
        properties = {each.get("name"): each.get("value") for each in case.iter("property")}
        assert properties == {f"infer_{status}": f"the <message> of {status}\nmore"}
        (output,) = case.iter("system-out")
        line = f"{status.upper()} test_own.py::test_it[toy-ort-fp32-b1-{status}] - the <message> "
        assert output.text.startswith(line)
    for passed in ("test_it[toy-ort-fp32-b1-pass]", "test_beside"):
        assert not list(cases[passed])


@pytest.mark.parametrize("options", [("-q",), ("-ra",), ("-rA", "-n", "1")], ids=" ".join)
def test_short_summary(run: Run, name: str, options: tuple[str, ...]) -> None:
    """Quiet runs, and those that ask for it, have a line per test; the last line counts them."""
    result = run(name, "--engine=ort", *options)
    for status in UNCLEAR:
        test = f"test_own.py::test_it?toy-ort-fp32-b1-{status}?"
        result.stdout.fnmatch_lines([f"{status.upper()} {test} - the <message> of {status}"])
        result.stdout.fnmatch_lines([f"*1 {status}*"])
    result.assert_outcomes(passed=2)


def test_summary_that_nobody_asked_for(run: Run, name: str) -> None:
    """Without these options there is one line of each kind, as before."""
    result = run(name, "--engine=ort")
    result.stdout.no_fnmatch_line("NEW *")
    result.stdout.fnmatch_lines(["*test_own.py .n?k.*"])


def test_pytest_html(run: Run, pytester: pytest.Pytester, name: str) -> None:
    """The table of pytest-html says it beside the outcome."""
    pytest.importorskip("pytest_html")
    run(name, "--engine=ort", "--html=report.html")
    page = (pytester.path / "report.html").read_text()
    (blob,) = re.findall(r'data-jsonblob="([^"]*)"', page)
    tests = json.loads(unescape(blob))["tests"]
    shown = {test: each["resultsTableRow"][0] for test, (each,) in tests.items()}
    for status in UNCLEAR:
        cell = shown[f"test_own.py::test_it[toy-ort-fp32-b1-{status}]"]
        assert cell == f'<td class="col-result">Passed ({status})</td>'
    assert shown["test_own.py::test_beside"] == '<td class="col-result">Passed</td>'
