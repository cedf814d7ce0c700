"""Commands and snippets of the README and the guides do what the page says.

A page's blocks run in its order, in one folder. Blocks that begin with a file's name are written
there. Commands marked ``whole`` run as they stand, with ``INFER_NIGHTLY=1`` those marked
``nightly`` too. In all others pytest collects its tests only: every option, path and name in them
is checked, and nothing is built or timed.
"""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nightly import IS_NIGHTLY
from page_examples import Example, examples_of
from synthetic import synthetic_result

from pytest_infer.reports.report_file import write_report

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "guides").glob("*.md")),
]
OTHERS = [page for page in sorted((ROOT / "docs").rglob("*.md")) if page not in PAGES]
"""Their Python is compiled, and no more."""

COLLECT = "--collect-only -q -p no:cacheprovider"


def _parameters(pages: list[Path], languages: set[str]) -> list[object]:
    return [
        pytest.param(each, id=f"{page.relative_to(ROOT)}:{each.line}", marks=_marks(each))
        for page in pages
        for each in examples_of(page)
        if each.language in languages
    ]


def _marks(example: Example) -> list[pytest.MarkDecorator]:
    if "skip" in example.words:
        return [pytest.mark.skip(reason=example.argument)]
    return [pytest.mark.nightly] if "nightly" in example.words else []


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """The folder of each page."""
    return {page: tmp_path_factory.mktemp(page.stem) for page in PAGES}


@pytest.fixture
def folder(folders: dict[Path, Path], example: Example) -> Path:
    """The example's folder, with the files of the page up to it."""
    found = folders[example.page]
    if not any(found.iterdir()):
        _prepare(found, example.page)
    for each in examples_of(example.page):
        if each.line <= example.line and each.file:
            (found / each.file).parent.mkdir(parents=True, exist_ok=True)
            (found / each.file).write_text(each.text)
    return found


def _prepare(folder: Path, page: Path) -> None:
    """Put there what commands take for granted: a clone, or its suites and earlier runs."""
    if IS_NIGHTLY and page.parent == ROOT:
        shutil.copytree(ROOT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
        return
    (folder / "suites").symlink_to(ROOT / "pytest_infer" / "suites")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    for name in ("run.json", "main.json", "branch.json"):
        write_report("json", folder / name, synthetic_result(4))
    write_report("history", folder / "baselines" / "history.jsonl", synthetic_result(60))


def _run(example: Example, folder: Path) -> subprocess.CompletedProcess[str]:
    is_whole = bool({"whole", "nightly"} & set(example.words))
    scripts = str(Path(sys.executable).parent)
    environ = os.environ | {
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PYTEST_ADDOPTS": "" if is_whole else COLLECT,
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "COLUMNS": "200",
    }
    limit = "3600" if IS_NIGHTLY else "300"
    return subprocess.run(  # noqa: S603 - what the page says; timeout ends all that it started
        [
            "/usr/bin/env",
            "timeout",
            "-k",
            "9",
            limit,
            "bash",
            "-euo",
            "pipefail",
            "-c",
            example.text,
        ],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("example", _parameters(PAGES, {"console"}))
def test_commands(example: Example, folder: Path) -> None:
    """They run, with the exit status that the page says."""
    is_safe = "pip install" not in example.text or "venv ." in example.text
    assert is_safe, "it would install into an environment outside of its folder"
    done = _run(example, folder)
    is_right = (done.returncode != 0) == ("fails" in example.words)
    assert is_right, f"rc={done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-4000:]}"


@pytest.mark.parametrize("example", _parameters(PAGES, {"python"}))
def test_snippets(example: Example, folder: Path) -> None:
    """They run, apart from files, which commands of the page use."""
    compile(example.text, f"{example.page.name}:{example.line}", "exec")
    if example.file:
        return
    prelude = example.argument if "prelude" in example.words else ""
    snippet = folder / f"snippet_{example.line}.py"  # models are made from files
    snippet.write_text(f"{prelude}\n{example.text}")
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, snippet],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert not done.returncode, done.stderr[-4000:]


@pytest.mark.parametrize("example", _parameters(OTHERS, {"python"}))
def test_other_snippets(example: Example) -> None:
    """They are Python."""
    compile(example.text, f"{example.page.name}:{example.line}", "exec")


@pytest.mark.parametrize("example", _parameters([*PAGES, *OTHERS], {"json", "ini"}))
def test_data(example: Example) -> None:
    """They are what their fence says."""
    if example.language == "json":
        json.loads(example.text)
    else:
        configparser.ConfigParser().read_string(example.text)


def test_skips_say_when() -> None:
    """What is never run here states what it needs, and when it was run by hand, if it was."""
    for page in PAGES:
        for each in examples_of(page):
            if "skip" in each.words:
                assert "needs" in each.argument, (page, each.line)
                is_dated = "by hand 20" in each.argument or "not run by hand" in each.argument
                assert is_dated, (page, each.line, each.argument)
