"""What others wrote reaches a terminal and a CI's log from every side, and commands neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

USAGE_ERROR = 4
HOSTILE = r"\x1b[31m\n::error::x\n##vso[task.complete]\u202e\u2028\ud800 end"
"""As it stands in Python code."""


def check_harmless(text: str) -> None:
    """Nothing in a text moves a cursor or is obeyed by a CI."""
    acting = [each for each in text if not (each.isprintable() or each in "\n\t")]
    assert acting == []
    assert not [line for line in text.splitlines() if line.strip().startswith("::")]
    assert "##vso[" not in text


def test_errors_without_a_case(pytester: pytest.Pytester) -> None:
    """Pytest prints the error itself, with its own traceback: failed, in a fixture, a warning."""
    pytester.makepyfile(
        f"""
        import warnings
        import pytest
        from pytest_infer import RunError

        def error():
            return RunError("what {HOSTILE}", why="why {HOSTILE}", mend="mend {HOSTILE}")

        @pytest.fixture
        def broken():
            raise error()

        def test_failed():
            raise error()

        def test_error(broken):
            pass

        def test_warning():
            warnings.warn(str(error()), RuntimeWarning)
        """
    )
    result = pytester.runpytest_subprocess("--tb=line", "-ra", "-p", "no:xdist")
    result.assert_outcomes(failed=1, errors=1, passed=1, warnings=1)
    check_harmless(result.stdout.str() + result.stderr.str())
    assert r"what \x1b[31m" in result.stdout.str()


def test_host_that_prints_while_it_fails(bare_run: Run, tmp_path: Path) -> None:
    """A usage error holds its words, made harmless."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nprintf '\\033[31m\\n::error::x\\n##vso[task.complete]\\n' >&2\n")
    python.chmod(0o700)
    result = bare_run(f"--infer-host=ort=popen//python={python}", "--engine=ort", "-p", "no:xdist")
    text = result.stderr.str()
    assert result.ret == USAGE_ERROR
    check_harmless(text)
    assert all(part in text for part in (r"\x1b[31m", ": :error::x", "# #vso[task.complete]"))


@pytest.mark.parametrize("name", [r"\x1b[31m", "::error::x", "##vso[a]", "a b", "a/b", "a" * 101])
def test_name_of_a_model(bare_run: Run, name: str) -> None:
    """It would be a part of test ids: letters, digits, dots, dashes and underscores are taken."""
    conftest = f"""

def named():
    pass

named.__name__ = "{name}"
model(inputs={{"x": TensorSpec(("batch", 3))}}, outputs={{"y": TensorSpec(("batch", 3))}})(named)
"""
    result = bare_run("--infer-model=toy", "-p", "no:xdist", conftest=conftest)
    text = result.stdout.str() + result.stderr.str()
    assert result.ret == USAGE_ERROR
    assert "cannot call a model " in text
    check_harmless(text)
