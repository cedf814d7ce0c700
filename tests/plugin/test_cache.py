"""Built engines are kept across runs, or not, as ``--infer-cache`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

OPTIONS = ("--engine=ort", "-k", "outputs")


def test_found_again(run: Run, pytester: pytest.Pytester) -> None:
    """A second run builds nothing, although files changed of which the engine is not made."""
    run(*OPTIONS).assert_outcomes(passed=1)
    (pytester.path / "README.md").write_text("changed")
    (pytester.path / "data.onnx").write_text("changed")
    pytester.makepyfile(test_own="def test_own(): pass")
    again = run("--infer-batch=1", "--infer-localize", *OPTIONS)
    again.stdout.fnmatch_lines(["engines: 0 built, 1 found in the cache"])


def test_second_builds(run: Run, pytester: pytest.Pytester) -> None:
    """They are kept beside the first ones; with ``--infer-thorough`` each run makes them anew."""
    pytester.makepyfile(
        test_again="""
        def test_again(variants, consistency, enforce):
            enforce(consistency.rebuilt(variants.rebuilt(), variants.outputs))
        """
    )
    asked = ("test_again.py", "--engine=ort", f"--infer-cache={pytester.mkdir('builds')}")
    for options, counts in [
        ((), "engines: 2 built, 0 found in the cache"),
        ((), "engines: 0 built, 2 found in the cache"),
        (("--infer-thorough",), "engines: 1 built, 1 found in the cache"),
    ]:
        result = run(*asked, *options)
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines([counts])


def test_off(run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a cache a run builds what it needs, and leaves nothing."""
    scratch = pytester.mkdir("scratch")
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.mkdir("home")))
    result = run("--infer-cache=off", *OPTIONS)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["engines: 1 built, 0 found in the cache"])
    assert [path.name for path in scratch.glob("pytest-infer-*")] == []
    kept = pytester.path / "home" / "pytest-infer"
    assert {path.name for path in kept.iterdir()} == {"locks"}
    assert not (pytester.path / "off").exists()


def test_folder_that_others_can_write_to(bare_run: Run, pytester: pytest.Pytester) -> None:
    """It is refused with the mend, and without a traceback."""
    folder = pytester.mkdir("cache")
    folder.chmod(0o777)
    result = bare_run(f"--infer-cache={folder}", "--infer-model=toy", *OPTIONS)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            f"ERROR: cannot use the cache folder {folder}",
            f"  why:  others can write to {folder} (drwxrwxrwx)",
            f"  mend: chmod go-w {folder}, after a look at what is in it",
        ]
    )
    result.stderr.no_fnmatch_line("*Traceback*")
