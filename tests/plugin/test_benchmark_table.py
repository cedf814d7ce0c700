"""Samples among pytest-benchmark's own: its table, files, comparisons and switches."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

OWN = """
import pytest


@pytest.mark.parametrize("size", [1, 2])
def test_own(benchmark, size):
    benchmark.pedantic(sum, args=([1] * size,), rounds=3)


@pytest.mark.infer(engines="eager")
def test_ours(engine, feeds, gpu_timer, latency, enforce):
    enforce(latency(gpu_timer(engine, feeds)))


@pytest.mark.infer(engines="eager")
@pytest.mark.skip(reason="broken since May")
def test_skipped(engine, feeds, gpu_timer, latency, enforce):
    enforce(latency(gpu_timer(engine, feeds)))
"""
ONE = ("--engine=eager", "-k", "latency")
TABLE = "* benchmark*: * tests *"


@pytest.fixture
def mixed(run: Run, pytester: pytest.Pytester) -> Run:
    """Run a user's own benchmarks beside a test that times an engine."""
    (pytester.path / "test_own.py").write_text(OWN)

    def call(*options: str) -> pytest.RunResult:
        return run("test_own.py", "--engine=eager", *options)

    return call


def _rows(pytester: pytest.Pytester) -> dict[str, dict[str, object]]:
    """Return what ``--benchmark-json=out.json`` wrote, by name."""
    content = json.loads((pytester.path / "out.json").read_text())
    return {each["name"]: each for each in content["benchmarks"]}


def test_table_and_file(run: Run, pytester: pytest.Pytester) -> None:
    """The engine and eager beside it are rows under the model's name, with all their data."""
    result = run("--engine=ort", "-k", "latency", "--benchmark-json=out.json")
    result.stdout.fnmatch_lines(
        ["* benchmark 'toy': 2 tests *", "toy-*-fp32-b1 *", "toy-*-fp32-b1 *"]
    )
    rows = _rows(pytester)
    assert set(rows) == {"toy-ort-fp32-b1", "toy-eager-fp32-b1"}
    row = rows["toy-ort-fp32-b1"]
    assert row["fullname"] == "test_latency.py::test_latency[toy-ort-fp32-b1]"
    assert (row["stats"]["rounds"], len(row["stats"]["data"])) == (5, 5)
    median_ms = row["extra_info"]["p50_ms"]
    assert row["stats"]["median"] == pytest.approx(median_ms / 1000)
    assert row["extra_info"]["clock"] == "monotonic"
    assert row["extra_info"]["engine_bytes"] > 0


@pytest.mark.nightly
def test_stored_and_compared(run: Run) -> None:
    """A second run finds the rows of the first one again."""
    run(*ONE, "--benchmark-autosave")
    result = run(*ONE, "--benchmark-compare", "--benchmark-compare-fail=median:1000")
    result.stdout.fnmatch_lines(
        ["* benchmark 'toy': 2 tests *", "toy-eager-fp32-b1 (*", "toy-eager-fp32-b1 (*"]
    )
    assert result.ret == 0


def test_among_a_users_own(mixed: Run) -> None:
    """A user's benchmarks stay what they are, grouped by a parameter that only they have too."""
    result = mixed("--benchmark-group-by=param:size")
    result.assert_outcomes(passed=3, skipped=1)
    text = result.stdout.str()
    for group in ("size=", "size=1", "size=2"):
        assert f" benchmark {group!r}: 1 tests " in text


@pytest.mark.parametrize("options", [("--benchmark-disable",), ("-n", "2")])
def test_nothing_without_it(run: Run, options: tuple[str, ...]) -> None:
    """Disabled, or by workers: the same checks run, and no table of it is shown."""
    result = run(*ONE, *options)
    result.stdout.no_fnmatch_line(TABLE)
    result.stdout.fnmatch_lines(["1 of 1 checks ran, * verdicts: 1 new, 1 pass"])


def test_only(mixed: Run) -> None:
    """``--benchmark-only`` runs what times an engine; other checks are skipped, and counted so.

    A user's own skip stays.
    """
    result = mixed("test_parity.py", "--benchmark-only", "-rs")
    result.assert_outcomes(passed=3, skipped=5)
    result.stdout.fnmatch_lines(["1 of 6 checks ran, *", "* broken since May"])
    assert " benchmark 'toy': 1 tests " in result.stdout.str()


def test_skip(mixed: Run) -> None:
    """``--benchmark-skip`` skips what times an engine too, and the counts say so."""
    result = mixed("--benchmark-skip", "-rs")
    result.assert_outcomes(skipped=4)
    result.stdout.fnmatch_lines(["0 of 2 checks ran, *", "*times an engine (--benchmark-skip)"])


@pytest.mark.parametrize("options", [(), ("-p", "no:benchmark")])
def test_unused(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    """Where no test asks for a fixture of this package it loads nothing for the table."""
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert "numpy" not in sys.modules
            assert "pytest_infer.plugin.benchmark_table" not in sys.modules
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:hypothesispytest", *options)
    result.assert_outcomes(passed=1)
