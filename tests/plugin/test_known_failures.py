"""A known failure is expected; one that changes or goes is news."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

CONFTEST = """
from pytest_infer import KnownFailure, expect


def break_down():
    raise RuntimeError("no kernel for conv in int4")


register(FakeEngine("broken", {fault}))
expect(
    KnownFailure("broken", "toy", "build", {error!r}, "it never could (0.1)", versions={versions})
)
"""
FAULT = "process=break_down, stage='build'"


def conftest(*, fault: str, error: str, versions: str = "{}") -> str:
    """Return the text of a conftest.py with an engine, and what is known of it."""
    return CONFTEST.format(fault=fault, error=error, versions=versions)


def test_known(run: Run) -> None:
    """Every test of the case is an expected failure, counted and told."""
    result = run(
        "--engine=broken",
        "-rx",
        conftest=conftest(fault=FAULT, error="no kernel for conv"),
    )
    result.assert_outcomes(xfailed=6, deselected=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            " toy * broken * fp32 * 1 * known: build-error",
            "6 of 6 checks ran, 1 narrowed away by marks; verdicts: 6 known",
            "known: cannot build toy-broken-fp32-b1: it never could (0.1) (and 5 more)",
        ]
    )


def test_changed(run: Run) -> None:
    """Another error than the known one fails, and both are reported."""
    result = run(
        "--engine=broken",
        *("-k", "test_outputs"),
        conftest=conftest(fault=FAULT, error="out of memory"),
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "a known failure of broken on toy has changed",
            "  why:  broken failed on toy at its build: out of memory (it never could (0.1)); now:",
            "*RuntimeError: no kernel for conv in int4",
        ]
    )


def test_gone(run: Run) -> None:
    """An engine that works all of a sudden fails until the ledger is mended."""
    result = run(
        "--engine=broken",
        *("-k", "test_outputs"),
        conftest=conftest(fault="", error="no kernel"),
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "a known failure of broken on toy is gone",
            "  mend: remove it from the ledger of known failures",
        ]
    )


@pytest.mark.nightly
def test_known_of_some_versions(run: Run) -> None:
    """An entry is about the versions that it names; with others a failure is one."""
    options = ("--engine=broken", "-k", "test_outputs")
    of_this = conftest(fault=FAULT, error="no kernel", versions="{'python': '3'}")
    run(*options, conftest=of_this).assert_outcomes(xfailed=1, deselected=6)
    of_another = conftest(fault=FAULT, error="no kernel", versions="{'python': '2'}")
    run(*options, conftest=of_another).assert_outcomes(errors=1, deselected=6)
