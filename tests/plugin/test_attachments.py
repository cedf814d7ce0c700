"""What pytest-html and Allure show: verdicts, figures and the picture of the graph."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

OWN = """
from pytest_infer import Verdict

HOSTILE = "</script><img src=x onerror=alert(1)>\\x1b[31m"

def test_hostile(case, enforce):
    enforce(Verdict("parity", "fail", HOSTILE, HOSTILE, {HOSTILE: 1.0}, {"drawing": {
        "nodes": 1, "layers": 1, "states": [{"text": HOSTILE}],
        "rows": [{"name": HOSTILE, "cells": [
            {"text": HOSTILE, "state": 0, "nodes": 1, "name": HOSTILE}]}]}}))
"""


def harmless(text: str) -> None:
    """Nothing in a text is an element that others wrote."""
    assert "<script" not in text
    assert not re.search(r"<[^>]*\sonerror=", text)
    assert "\x1b" not in text


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "worker"])
def test_pytest_html(run: Run, pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """A row has the verdicts, their figures and the picture; hostile texts are texts."""
    pytest.importorskip("pytest_html")
    (pytester.path / "test_own.py").write_text(OWN)
    run("--engine=ort", "-k", "what_ran or hostile", "--html=report.html", *workers)
    page = (pytester.path / "report.html").read_text()
    (blob,) = re.findall(r'data-jsonblob="([^"]*)"', page)
    tests = json.loads(unescape(blob))["tests"]
    texts = {
        name: "".join(extra["content"] for run in runs for extra in run["extras"])
        for name, runs in tests.items()
    }
    own = texts["test_truth.py::test_what_ran[toy-ort-fp32-b1]"]
    assert "truth: pass, as-asked" in own
    assert "precision_share" in own
    assert 'src="data:image/svg+xml;base64,' in own
    harmless(texts["test_own.py::test_hostile[toy-ort-fp32-b1]"])


def results(folder: Path) -> dict[str, dict[str, str]]:
    """Return the attachments of each test in a folder of Allure's, by name."""
    found = {}
    for path in folder.glob("*-result.json"):
        content = json.loads(path.read_text())
        attached = content.get("attachments", [])
        found[content["name"]] = {
            each["name"]: (folder / each["source"]).read_text() for each in attached
        }
    return found


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "worker"])
def test_allure(run: Run, pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """A test has the verdicts as HTML, the figures as JSON and the picture as SVG."""
    pytest.importorskip("allure_pytest")
    (pytester.path / "test_own.py").write_text(OWN)
    run("--engine=ort", "-k", "what_ran or hostile", "--alluredir=allure", *workers)
    found = results(pytester.path / "allure")
    own = found["test_what_ran[toy-ort-fp32-b1]"]
    assert "truth: pass, as-asked" in own["verdicts"]
    assert json.loads(own["figures"])[0]["figures"]["precision_share"] == 1
    assert own["graph"].startswith("<svg xmlns=")
    hostile = found["test_hostile[toy-ort-fp32-b1]"]
    for text in (hostile["verdicts"], hostile["graph"]):
        harmless(text)
