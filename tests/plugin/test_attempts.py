"""Tests that are run again, or are parametrized: what counts, what is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

HEAD = """
import pytest
from pathlib import Path
from pytest_infer import Verdict

TIMED = ("latency", "pass", "measured", "")
"""

FLAKY = """
def test_it(case, enforce, request):
    count = Path(request.config.rootpath, f"count-{case.batch}")
    number = len(count.read_text()) if count.exists() else 0
    count.write_text("x" * (number + 1))
    if number < 1:
        enforce(Verdict("parity", "fail", "diverged", "it diverged", {"p50_ms": 9.0}),
                Verdict("baseline", "new", "to-be-stored", "first attempt"))
    enforce(Verdict(*TIMED, {"p50_ms": 1.0 + number}))
"""


def _write(pytester: pytest.Pytester, tests: str) -> str:
    (pytester.path / "test_own.py").write_text(HEAD + tests)
    return "test_own.py"


def _report(pytester: pytest.Pytester) -> dict:
    return json.loads((pytester.path / "r.json").read_text())


def _stored(pytester: pytest.Pytester) -> dict[str, float]:
    """Return the stored medians by key."""
    text = (pytester.path / "baselines/mine/toy.json").read_text()
    return {key: each["figures"]["p50_ms"] for key, each in json.loads(text)["entries"].items()}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_last_attempt_counts(run: Run, pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """In the table, in JSON, in JUnit and in the baselines; the earlier one is kept beside it."""
    pytest.importorskip("pytest_rerunfailures")
    name = _write(pytester, FLAKY)
    result = run(
        *(name, "--engine=ort", "--infer-batch=1,2", "--reruns", "2", *workers),
        *("--update-baselines", "--gpu-baseline=mine", "--infer-report=json:r.json"),
        *("--junitxml=junit.xml", "-rA"),
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            " toy * ort * fp32 * 1 * pass",
            " toy * ort * fp32 * 2 * pass",
            "2 of 2 checks ran, 0 narrowed away by marks; verdicts: 2 pass",
            "earlier attempts: 2; of each test the last one counts",
        ]
    )
    report = _report(pytester)
    assert [(each["code"], each["attempt"]) for each in report["records"]] == [("measured", 2)] * 2
    earlier = {(each["code"], each["attempt"]) for each in report["earlier_attempts"]}
    assert earlier == {("diverged", 1), ("to-be-stored", 1)}
    assert report["coverage"]["repeated"] == 2
    assert _stored(pytester) == {"toy-ort-fp32-b1": 2.0, "toy-ort-fp32-b2": 2.0}
    tree = ElementTree.parse(pytester.path / "junit.xml")  # noqa: S314 - our own
    last = {each.get("name"): each for each in tree.iter("testcase")}.values()
    assert len(last) == 2
    assert not [each for case in last for each in case]


def test_last_attempt_that_fails(run: Run, pytester: pytest.Pytester) -> None:
    """It counts as well, and one that was never judged leaves no verdict of an earlier one."""
    pytest.importorskip("pytest_rerunfailures")
    name = _write(pytester, FLAKY.replace("number < 1", "number != 1").replace("1.0 +", "1 / 0 +"))
    result = run(name, "--engine=ort", "--reruns", "1", "--infer-report=json:r.json")
    result.assert_outcomes(failed=1)
    assert not _report(pytester)["records"]
    assert len(_report(pytester)["earlier_attempts"]) == 2


THREE_WAYS = """
@pytest.mark.parametrize("size", [224, 256, 320])
def test_it(case, enforce, size):
    enforce(Verdict(*TIMED, {"p50_ms": size / 100}))
"""


def test_own_parameters_are_keys(run: Run, pytester: pytest.Pytester) -> None:
    """Each way has a row and an entry, which a later run reads again; none is unused."""
    name = _write(pytester, THREE_WAYS)
    options = (name, "--engine=ort", "--gpu-baseline=mine")
    result = run(*options, "--update-baselines", "--infer-report=json:r.json")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines([f" toy?{size}? * ort * 1 * pass" for size in (224, 256, 320)])
    keys = {f"toy-ort-fp32-b1[{size}]": size / 100 for size in (224, 256, 320)}
    assert _stored(pytester) == keys
    records = _report(pytester)["records"]
    assert {each["case_id"]: each["case"]["variant"] for each in records} == {
        key: key.partition("[")[2].removesuffix("]") for key in keys
    }
    _write(pytester, THREE_WAYS.replace("[224, 256, 320]", "[224, 256]"))
    run(*options, "--update-baselines").assert_outcomes(passed=2)
    assert _stored(pytester) == keys


JUDGED = """
@pytest.mark.parametrize("way", ["a", "b"])
@pytest.mark.latency_budget(p50_over_baseline=2)
def test_it(case, engine, feeds, latency, baseline, enforce, way):
    from pytest_infer import Samples

    samples = Samples([2_000_000] * 9, batch=1, clock="monotonic", machine="", warmup_calls=2)
    enforce(latency(samples))
"""


def test_own_parameters_find_their_entry(run: Run, pytester: pytest.Pytester) -> None:
    """A test is compared with the entry of its own way; one without an entry says so."""
    name = _write(
        pytester,
        THREE_WAYS.replace('"size", [224', '"size", ["a"')
        .replace(", 256, 320]", "]")
        .replace("size / 100", "0.5"),
    )
    run(name, "--engine=eager", "--gpu-baseline=mine", "--update-baselines")
    assert _stored(pytester) == {"toy-eager-fp32-b1[a]": 0.5}
    _write(pytester, JUDGED)
    result = run(name, "--engine=eager", "--gpu-baseline=mine")
    result.stdout.fnmatch_lines(["*p50_over_baseline 4 > 2*"])


def test_two_tests_of_one_key(run: Run, pytester: pytest.Pytester) -> None:
    """What two tests measure is not stored, and both are named."""
    name = _write(
        pytester,
        "def test_a(case, enforce): enforce(Verdict(*TIMED, {'p50_ms': 1.0}))\n\n"
        "def test_b(case, enforce): enforce(Verdict(*TIMED, {'p50_ms': 2.0}))\n",
    )
    result = run(name, "--engine=ort", "--gpu-baseline=mine", "--update-baselines")
    tests = ", ".join(f"test_own.py::test_{each}[toy-ort-fp32-b1]" for each in "ab")
    assert (
        f"not stored: toy-ort-fp32-b1 (measured 2 times, by {tests}; a key has one entry: store "
        "from one test, or parametrize it)\n"
    ) in result.stdout.str()
    assert not (pytester.path / "baselines").exists()


def test_entries_stored_before(run: Run, pytester: pytest.Pytester, cache: Path) -> None:
    """A test that is not parametrized has the key that it always had."""
    del cache
    name = _write(pytester, "def test_it(case, enforce): enforce(Verdict(*TIMED, {'p50_ms': 1.0}))")
    run(name, "--engine=ort", "--gpu-baseline=mine", "--update-baselines")
    assert _stored(pytester) == {"toy-ort-fp32-b1": 1.0}
