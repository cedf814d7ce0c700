"""An engine beside itself in another environment, through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

SUITE = Path(__file__).parents[2] / "suites" / "test_against.py"

PLANTED = """
import os

IS_FAULTY = "PLANTED" in os.environ
register(
    FakeEngine(
        "fake",
        inner="ort",
        outputs=scale(1.1) if IS_FAULTY else None,
        repeats=30 if IS_FAULTY else 1,
    )
)
"""

EQUAL = """
def test_equal(answers, against, enforce):
    verdict = against.outputs(answers)
    assert verdict.code == "bit-equal"
    enforce(verdict)
"""


@pytest.fixture
def against(run: Run, pytester: pytest.Pytester) -> Run:
    """Run the suite of this name on the toy."""
    (pytester.path / SUITE.name).write_text(SUITE.read_text())

    def call(*options: str) -> pytest.RunResult:
        return run(SUITE.name, *options, conftest=PLANTED)

    return call


def test_planted(against: Run, pytester: pytest.Pytester) -> None:
    """A new environment that is slower and wrong fails, with both sides in table and report."""
    result = against(
        "--engine=fake,ort",
        "--infer-host=fake=popen//env:PLANTED=1",
        "--infer-against=fake=popen",
        "--infer-report=json:found.json",
    )
    assert result.parseoutcomes() == {"failed": 1}
    result.stdout.fnmatch_lines(
        [
            "*toy-fake-fp32-b1* breaks a rule: the engine gives in both environments the same *",
            "*toy-fake-fp32-b1 regressed: * ms in the new environment, * ms in the old one",
            " model * speed * change * outputs * max abs *",
            " toy * fake * fp32 * 1 * regressed * +*% * outputs-differ *e*",
            "*1 narrowed away by marks*",
            "fake against popen: the same versions",
        ]
    )
    records = json.loads((pytester.path / "found.json").read_text())["records"]
    assert [each["code"] for each in records] == ["outputs-differ", "regressed"]
    assert {each["judge"] for each in records} == {"against"}
    speed = records[1]
    assert len(speed["details"]["against"]["pairs"]) == speed["figures"]["against_pairs"]
    assert {"old_load_s", "new_load_s", "old_ms", "new_ms"} <= speed["figures"].keys()


def test_equal(against: Run, pytester: pytest.Pytester) -> None:
    """The same environment twice gives the same bits; any test may ask."""
    (pytester.path / SUITE.name).write_text(EQUAL)
    against("--engine=ort", "--infer-against=ort=popen").assert_outcomes(passed=1)


def test_not_asked_for(against: Run) -> None:
    """Without the option the suite is deselected and counted, and the summary names the option."""
    result = against("--engine=ort")
    assert result.parseoutcomes() == {"deselected": 1}
    line = "1 comparison of environments not selected; run it with --infer-against=ENGINE=SPEC"
    result.stdout.fnmatch_lines([line])


@pytest.mark.parametrize(
    ("option", "lines"),
    [
        (
            "ort=popen//python=/no/such/python",
            ["*cannot start the engine host popen//python=/no/such/python*"],
        ),
        (
            "fake=popen",
            [
                "*--infer-against=fake=popen compares nothing*",
                "*this run does not test fake; it tests ort*",
                "*add --engine=fake, or leave out --infer-against=fake=*",
            ],
        ),
    ],
)
def test_refused(against: Run, option: str, lines: list[str]) -> None:
    """What cannot be compared is a usage error before anything runs."""
    result = against("--engine=ort", f"--infer-against={option}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(lines)
