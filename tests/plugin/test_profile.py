"""Layers in reports: the picture of a graph, and ``--infer-profile``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

TIMED = ("--engine=eager,ort", "-k", "test_what_ran or test_latency")
CASE = "toy-ort-fp32-b1"


def details(pytester: pytest.Pytester, name: str) -> dict[str, Any]:
    """Return a detail of the records of a run, by case."""
    content = json.loads((pytester.path / "a.json").read_text())
    found = {r["case_id"]: r["details"].get(name) for r in content["records"] if r["details"]}
    return {case: each for case, each in found.items() if each}


def test_on_request(run: Run, pytester: pytest.Pytester) -> None:
    """Layers have times, operators too; an engine without a profiler says so."""
    result = run(*TIMED, "--infer-profile", "--infer-report=json:a.json,html:a.html")
    assert result.ret == 0
    content = json.loads((pytester.path / "a.json").read_text())
    profiles = {
        r["case_id"]: r["details"]["profile"]
        for r in content["records"]
        if "profile" in r["details"]
    }
    assert "eager has no profiler here" in profiles["toy-eager-fp32-b1"]["note"]
    own = profiles[CASE]
    assert own["by"] == "ONNX Runtime's profile (enable_profiling)"
    assert own["count"] == len(own["layers"]) > 2
    assert own["total_ms"] > 0
    assert sum(each["count"] for each in own["operators"]) == own["count"]
    drawings = [r["details"]["drawing"] for r in content["records"] if "drawing" in r["details"]]
    (reference,) = drawings
    drawing = content["drawings"][reference["name"]]
    assert drawing["nodes"] >= drawing["layers"] > 2
    assert {each["text"] for each in drawing["states"]} >= {"fp32 on CPU"}
    page = (pytester.path / "a.html").read_text()
    assert 'class="drawings"' in page


@pytest.mark.nightly
def test_not_on_request(run: Run, pytester: pytest.Pytester) -> None:
    """Without the option nothing is profiled, and without such a report nothing is drawn."""
    run(*TIMED, "--infer-report=json:a.json")
    assert '"profile"' not in (pytester.path / "a.json").read_text().replace('"profile": false', "")
    run(*TIMED, "--infer-report=md:a.md")


@pytest.mark.nightly
def test_a_slower_layer_is_named(run: Run, pytester: pytest.Pytester) -> None:
    """A net with more layers of the same name: compare says which layers came."""
    options = ("--engine=ort", "-k", "test_latency", "--infer-profile")
    run(*options, "--infer-report=json:a.json")
    run(*options, "--infer-report=json:b.json", conftest="\nLAYERS = 12\n")
    result = pytester.run("pytest-infer", "compare", "a.json", "b.json")
    lines = [line for line in result.outlines if line.startswith(f"{CASE}: layers ")]
    assert len(lines) == 1
    assert "grew most: " in lines[0]
    assert "Conv" in lines[0]
