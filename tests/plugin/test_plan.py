"""Slow builds are begun ahead of their tests, which run last, and then what is timed."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.made_ahead import LEAST_CORES
from pytest_infer.plugin.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

SLOW = """
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SlowEngine(FakeEngine):
    builds_slowly = True


def note():
    with Path({log!r}).open("a") as log:
        log.write(f"{{os.getpid()}}\\n")


def die():
    note()
    if len(Path({log!r}).read_text().splitlines()) == 1:
        os.kill(os.getpid(), 9)


register(SlowEngine("a_slow", "ort", stage="build", process={process}))
"""

OPTIONS = ("--infer-model=toy", "--infer-device=cpu", "--infer-calls=5", "--infer-warmup=1")


@pytest.fixture
def run(pytester: pytest.Pytester, toy: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the package's suites on the toy model, on an engine that builds slowly and another."""
    pytest.importorskip("onnxruntime")
    if len(os.sched_getaffinity(0)) < LEAST_CORES:
        pytest.skip("nothing is built ahead on one core")
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
        monkeypatch.delenv(name)

    def call(*options: str, process: str = "note") -> pytest.RunResult:
        pytester.makeconftest(toy + SLOW.format(log=str(pytester.path / "log"), process=process))
        suites = ("--pyargs", "pytest_infer.suites", ".", "-p", "no:cacheprovider")
        chosen = ("--engine=a_slow,ort", f"--infer-cache={pytester.path / 'cache'}")
        return pytester.runpytest_subprocess(*suites, *OPTIONS, *chosen, *options)

    return call


def test_order(run: Run) -> None:
    """First what needs no slow build, and what is timed last; else the order is as it was."""
    result = run("--collect-only", "-q")
    ids = [line.partition("::")[2] for line in result.outlines if "[toy-" in line]
    engines = [each.partition("[toy-")[2].partition("-")[0] for each in ids]
    untimed = [number for number, each in enumerate(ids) if "latency" not in each]
    assert untimed == list(range(len(ids) - 2))
    half = len(untimed) // 2
    assert engines == ["ort"] * half + ["a_slow"] * half + ["ort", "a_slow"]
    names = [each.partition("[")[0] for each in ids]
    assert names[:half] == names[half : 2 * half]


def test_each_build_is_made_once(run: Run, pytester: pytest.Pytester) -> None:
    """Those for one row and for two, and the second one for two, whoever makes them."""
    result = run("-k", "equal_rows or rebuilt or test_outputs")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["*engines: 6 built, 0 found in the cache"])
    builders = (pytester.path / "log").read_text().split()
    assert len(builders) == 3
    again = run("-k", "equal_rows or rebuilt or test_outputs")
    again.stdout.fnmatch_lines(["*engines: 0 built, 6 found in the cache"])


def test_a_builder_that_is_killed(run: Run, pytester: pytest.Pytester) -> None:
    """Its test builds again, and passes: it was another process than the test's."""
    result = run("-k", "test_outputs", process="die")
    result.assert_outcomes(passed=2)
    assert len(set((pytester.path / "log").read_text().split())) == 2


BEGUN = """
from pytest_infer.hosts.pool import HostPool

HostPool.begin = lambda _, roles: print("begun:", *(f"{each.engine}/{each.role}" for each in roles))
"""


@pytest.fixture
def begun(run: Run, pytester: pytest.Pytester) -> Callable[..., str]:
    """Return which hosts a run would begin ahead."""

    def call(*options: str) -> str:
        pytester.makepyfile(own_hosts=BEGUN)
        result = run("-p", "own_hosts", "-s", "--engine=eager", "--setup-plan", *options)
        assert result.ret in (0, 5)
        lines = [line for line in result.outlines if line.startswith("begun:")]
        assert len(lines) <= 1
        return "".join(lines).removeprefix("begun:").strip()

    return call


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        ("test_outputs", "eager/shared ort/shared a_slow/shared"),
        ("equal_rows", "eager/shared ort/shared a_slow/shared"),
        ("reopened and not ort", "eager/shared eager/beside a_slow/shared a_slow/beside"),
        ("concurrent and not slow", "eager/shared eager/beside ort/shared ort/beside"),
        (
            "latency and not slow",
            "eager/shared eager/companion ort/shared ort/fresh",
        ),
        (
            "(latency or concurrent) and not slow",
            "eager/shared eager/beside ort/shared ort/beside eager/companion ort/fresh",
        ),
        ("nothing", ""),
    ],
)
def test_hosts_that_are_begun_ahead(begun: Callable[..., str], tests: str, expected: str) -> None:
    """Those that the tests need, in their order, each once but for the fresh ones."""
    assert begun("-k", tests) == expected


def test_nothing_is_begun_for_a_list(begun: Callable[..., str]) -> None:
    """Tests that are only collected need no host."""
    assert begun("--collect-only") == ""


def test_a_worker_plans_nothing() -> None:
    """It has others beside it, and all of them share one order of tests."""
    items: list[Any] = [object()]
    config: Any = SimpleNamespace(workerinput={})
    state: Any = SimpleNamespace(is_used=True)
    Plan(state).pytest_collection_modifyitems(config, items)
    assert len(items) == 1
