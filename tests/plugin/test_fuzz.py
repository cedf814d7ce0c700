"""The mark, the profiles and what is told of searches, without any model or engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

OWN_MARK = """
import pytest

@pytest.mark.fuzz
def test_of_somebody_else():
    pass
"""

OWN_SEARCH = """
import pytest

def test_with_a_fixture_of_ours(fuzz):
    pass

@pytest.mark.fuzz
@pytest.mark.tolerance(max_abs=1.0)
def test_with_a_mark_that_cannot_reach_it(fuzz):
    pass
"""


@pytest.mark.parametrize("name", ["dev", "ci", "deep"])
def test_profiles(pytester: pytest.Pytester, name: str) -> None:
    """Hypothesis's own option takes our profiles."""
    pytester.makepyfile(OWN_MARK)
    result = pytester.runpytest_subprocess(f"--hypothesis-profile={name}", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"hypothesis profile '{name}' -> *"])


def test_profile_of_the_user_stays(pytester: pytest.Pytester) -> None:
    """A conftest's profile of one of these names is not replaced."""
    pytester.makeconftest(
        "from hypothesis import settings\n"
        "settings.register_profile('deep', max_examples=7, database=None)"
    )
    pytester.makepyfile(OWN_MARK)
    result = pytester.runpytest_subprocess("--hypothesis-profile=deep", "-v")
    result.stdout.fnmatch_lines(["hypothesis profile 'deep' -> *max_examples=7*"])


def test_mark_of_others(pytester: pytest.Pytester) -> None:
    """A mark of that name on a test without our fixture leaves the test alone."""
    pytester.makepyfile(OWN_MARK)
    pytester.runpytest_subprocess("--strict-markers").assert_outcomes(passed=1)


def test_searches_are_told_of(run: Run, pytester: pytest.Pytester) -> None:
    """What only -m fuzz runs is deselected, counted and told of; -m decides from then on."""
    pytester.makepyfile(test_own=OWN_SEARCH.replace("@pytest.mark.tolerance(max_abs=1.0)", ""))
    names = ("--engine=eager", "--collect-only", "-q", "test_own.py")
    result = run(*names)
    result.stdout.fnmatch_lines(
        [
            "test_own.py::test_with_a_fixture_of_ours*",
            "1 shape-fuzzing test not selected; run it with -m fuzz",
            "*1 deselected*",
        ]
    )
    asked = run(*names, "-m", "fuzz")
    asked.stdout.fnmatch_lines(["test_own.py::test_with_a_mark_*", "*1 deselected*"])
    assert "test_of_ours" not in asked.stdout.str()


def test_tolerance_by_mark(run: Run, pytester: pytest.Pytester) -> None:
    """A mark that could not take effect is an error, with what to write instead."""
    pytester.makepyfile(test_own=OWN_SEARCH)
    result = run("--engine=eager", "-m", "fuzz", "test_own.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "*@pytest.mark.tolerance of test_own.py::test_with_a_mark_* has no effect",
            "  why:  the fixture fuzz is older than its test, and knows nothing of its marks",
            "  mend: write fuzz.shapes(tolerance=Tolerance(...))",
        ]
    )
