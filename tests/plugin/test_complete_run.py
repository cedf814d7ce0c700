"""Unused and stale baselines are reported after a run of the whole suite, never of a part of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_infer import Case
from pytest_infer.baselines.chosen import identity_of
from pytest_infer.baselines.entry import Entry, Measured
from pytest_infer.baselines.store import update
from pytest_infer.devices.fingerprint import device_fingerprint
from pytest_infer.plugin.complete_run import CompleteRun

if TYPE_CHECKING:
    from collections.abc import Callable

SUITE = """
import pytest
from pytest_infer import Verdict

def test_it(case, enforce):
    enforce(Verdict("parity", "pass", "match", ""))

def test_other():
    pass

@pytest.mark.fuzz
def test_search(fuzz):  # left out of every run that does not ask for searches
    pass
"""
FAILING = "\n\ndef test_failing(): assert False\n\ndef test_last(case): pass\n"
LINES = [
    "unused: 1 entry of *: no test of this run has such a case; *: gone-eager-fp32-b1",
    "stale: 1 entry of *, stored with another torch (0.1 -> *)*: toy-eager-fp32-b1",
]


@pytest.fixture
def suite(pytester: pytest.Pytester, toy: str) -> Callable[..., pytest.RunResult]:
    """Run a suite of one case beside baselines of which one is stale and one is unused."""
    provenance = Measured("CPU", "2026-01-02", "c", versions={"torch": "0.1"})
    entry = Entry({"p50_ms": 1.0}, provenance)
    cases = [Case(model, "eager", "fp32", 1, "cpu") for model in ("toy", "gone")]
    device = identity_of(device_fingerprint("cpu"))
    update(pytester.path / "baselines" / "mine", device, dict.fromkeys(cases, entry))
    pytester.makeini("[pytest]\ninfer_engine = eager\ninfer_model = toy\ninfer_cache = off\n")
    pytester.makeconftest(toy)
    (pytester.path / "suite").mkdir()

    def call(*options: str, more: str = "") -> pytest.RunResult:
        (pytester.path / "suite" / "test_it.py").write_text(SUITE + more)
        return pytester.runpytest_subprocess("--infer-device=cpu", *options)

    return call


@pytest.mark.parametrize("options", [["suite"], ["-n", "2"]], ids=["folder", "workers"])
def test_complete(suite: Callable[..., pytest.RunResult], options: list[str]) -> None:
    """A folder, or nothing, names the whole suite; workers tell the same."""
    suite(*options).stdout.fnmatch_lines(LINES)


@pytest.mark.parametrize(
    ("options", "more"),
    [
        (["-k", "it"], ""),
        (["-n", "1", "-x"], FAILING),
    ],
    ids=["keyword", "stopped"],
)
def test_part(suite: Callable[..., pytest.RunResult], options: list[str], more: str) -> None:
    """What was left out may have had the case."""
    result = suite(*options, more=more)
    result.stdout.fnmatch_lines(["*1 of * checks ran*"])
    result.stdout.no_fnmatch_line("unused: *")
    result.stdout.no_fnmatch_line("stale: *")


class Says:
    """Anything with these attributes."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__ |= attributes


STATE = Says(is_used=True)


class Config:
    """A configuration with one option; and the run that is told of it."""

    def __init__(self, args: list[str] | None = None, **options: object) -> None:
        self.args, self.options = args or ["suite"], options
        self.invocation_params = self
        self.dir = Path(__file__).parent

    def getoption(self, name: str, default: object = None) -> object:
        """Return the option's value."""
        return self.options.get(name, default)


@pytest.mark.parametrize(
    "options",
    [
        {"keyword": "toy"},
        {"markexpr": "not slow"},
        {"lf": True},
        {"stepwise": True},
        {"deselect": ["suite/test_it.py"]},
        {"ignore": ["suite/test_latency.py"]},
        {"ignore_glob": ["*latency*"]},
        {"infer_model": ["toy"]},
        {"args": ["suite/test_it.py::test_it"]},
        {"args": ["suite", Path(__file__).name]},
        {"args": ["pytest_infer.suites.test_parity"], "pyargs": True},
    ],
    ids=str,
)
def test_narrowing(options: dict[str, object]) -> None:
    """Each option that leaves tests out makes a part of the run."""
    assert is_partial(CompleteRun(Config(**options), STATE))
    assert not is_partial(CompleteRun(Config(), STATE))


def test_suites_by_name() -> None:
    """The package of the suites is the whole, as its folder is."""
    assert not is_partial(CompleteRun(Config(args=["pytest_infer.suites"], pyargs=True), STATE))


def is_partial(run: CompleteRun) -> bool:
    """Return whether a run would not be reviewed."""
    return run._is_partial or run._names_a_part()


@pytest.mark.parametrize(
    ("hook", "arguments"),
    [
        ("pytest_deselected", [[Says(callspec=Says(params={"infer_matrix_case": "a case"}))]]),
        ("pytest_collectreport", [Says(failed=True)]),
        ("pytest_testnodedown", [Says(workeroutput={"pytest_infer_is_partial": True}), None]),
        ("pytest_testnodedown", [Says(workeroutput={"pytest_infer_is_partial": False}), "died"]),
        ("pytest_testnodedown", [Says(), None]),
        ("pytest_sessionfinish", [Says(shouldstop="x", shouldfail=False), 0]),
        ("pytest_sessionfinish", [Says(shouldstop=False, shouldfail="maxfail"), 1]),
        ("pytest_sessionfinish", [Says(shouldstop=False, shouldfail=False), 2]),
    ],
)
def test_what_happens(hook: str, arguments: list[object]) -> None:
    """Deselection, failed collection, a worker's word or death, and an end before the end."""
    run = CompleteRun(Config(), STATE)
    getattr(run, hook)(*arguments)
    assert is_partial(run)


def test_nothing_happened() -> None:
    """Tests without a case, whole files and workers that left nothing out are no reason."""
    run = CompleteRun(Config(), STATE)
    run.pytest_deselected([Says(), Says(callspec=Says(params={}))])
    run.pytest_collectreport(Says(failed=False))
    run.pytest_testnodedown(Says(workeroutput={"pytest_infer_is_partial": False}), None)
    run.pytest_sessionfinish(Says(shouldstop=False, shouldfail=False), 1)
    assert not is_partial(run)
