"""The package of docs/guides/own_engine.md is installed as written, and does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from os import environ, pathsep
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "own_engine.md"
FILES = {"pyproject.toml", "infer_exported.py", "test_contract.py", "test_mine.py"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four files of the page, and the package in a separate folder, as pip installs it."""
    folder = tmp_path_factory.mktemp("exported")
    blocks = re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert {name for name, _ in blocks} == FILES
    for name, text in blocks:
        (folder / name).write_text(text)
    subprocess.run(  # noqa: S603 - our own interpreter and options
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
            *("--no-build-isolation", "--target", "packages", "."),
        ],
        cwd=folder,
        check=True,
    )
    (folder / "infer_exported.py").unlink()  # what is installed is tried
    return folder


@pytest.fixture
def run(project: Path) -> Callable[..., str]:
    """Run pytest beside the installed package; return what it printed."""

    def call(*options: str) -> str:
        paths = [str(project / "packages"), environ.get("PYTHONPATH", "")]
        done = subprocess.run(  # noqa: S603 - our own interpreter and options
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
            cwd=project,
            env=environ | {"PYTHONPATH": pathsep.join(paths), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        return f"{done.stdout}{done.stderr}rc={done.returncode}"

    return call


@pytest.mark.nightly
def test_contract(run: Callable[..., str]) -> None:
    """The contract passes, from a package that is not this one."""
    text = run("test_contract.py")
    assert "8 passed" in text, text


def test_suite(run: Callable[..., str], project: Path, cache: Path, toy: str) -> None:
    """The engine is listed, and judged like any other."""
    (project / "conftest.py").write_text(toy)
    listed = run("--infer-engines", "--infer-device=cpu")
    assert re.search(r"exported +.* on cpu", listed), listed
    text = run(
        *("test_mine.py", "--engine=exported", "--infer-model=toy", "--infer-device=cpu"),
        f"--infer-cache={cache}",
    )
    assert "1 passed" in text, text
    assert "toy-exported" in text or "exported" in text
