"""Whole runs in separate processes, and what they left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from venv import EnvBuilder

import pytest

import pytest_infer

if TYPE_CHECKING:
    from collections.abc import Callable

SUITES = Path(__file__).parents[2] / "suites"
OWN = {SUITES / "test_metamorphic.py", SUITES / "test_shapes.py"}
"""Their tests are here, in files of their names."""
INI = """
[pytest]
addopts = --import-mode=importlib
infer_engine = eager,ort,torchscript
"""
MARKER = "PYTEST_INFER_FAULTS_RUN"

NEEDED = ("numpy", "msgspec", "execnet", "filelock", "platformdirs", "nvidia-ml-py", "onnxruntime")
"""All that a host of ONNX Runtime needs beside this package; in particular not torch."""


@dataclass(frozen=True)
class Run:
    """What a run printed and reported, and the processes that outlived it."""

    code: int
    text: str
    errors: str
    report: dict[str, Any]
    left: list[str]

    def record(self, case: str, judge: str | None = None) -> dict[str, Any]:
        """Return the only record of a case."""
        (found,) = [
            each
            for each in self.report["records"]
            if each["case_id"] == case and judge in (None, each["judge"])
        ]
        return found

    def lines(self, part: str) -> list[str]:
        """Return the printed lines that hold ``part``."""
        return [line for line in self.text.splitlines() if part in line]


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory, cache: Path, toy: str) -> Callable[..., Run]:
    """Run the suites on the toy model, with more of a conftest.py, in a separate folder."""

    def call(*options: str, conftest: str = "", environment: dict[str, str] | None = None) -> Run:
        folder = tmp_path_factory.mktemp("run")
        for file in sorted(set(SUITES.glob("test_*.py")) - OWN):
            (folder / file.name).write_text(file.read_text())
        (folder / "conftest.py").write_text((toy if "def toy" not in conftest else "") + conftest)
        (folder / "pytest.ini").write_text(INI)
        marker = uuid4().hex
        done = subprocess.run(  # noqa: S603 - our own interpreter and options
            [
                *(sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"),
                *("--infer-model=toy", "--infer-device=cpu", f"--infer-cache={cache}"),
                *("--infer-report=json:report.json", *options),
            ],
            cwd=folder,
            env=os.environ | {"COLUMNS": "200", MARKER: marker} | (environment or {}),
            capture_output=True,
            text=True,
            check=False,
        )
        report = folder / "report.json"
        content = json.loads(report.read_text()) if report.exists() else {}
        return Run(done.returncode, done.stdout, done.stderr, content, _alive(marker))

    return call


@pytest.fixture(scope="session")
def bare_environment() -> Callable[[Path], Path]:
    """Create a virtual environment without anything in it; return its Python."""
    return _environment


@pytest.fixture(scope="session")
def ort_environment() -> Callable[[Path], Path]:
    """Create a virtual environment with what a host of ONNX Runtime needs; return its Python."""

    def create(folder: Path) -> Path:
        python = _environment(folder)
        (packages,) = folder.glob("lib/python*/site-packages")
        for name in NEEDED:
            _link(packages, name)
        (packages / "pytest_infer").symlink_to(Path(pytest_infer.__file__).parent)
        return python

    return create


def _environment(folder: Path) -> Path:
    EnvBuilder(with_pip=False, symlinks=True).create(folder)
    return folder / "bin/python"


def _link(packages: Path, name: str) -> None:
    """Show an installed distribution, and nothing else of where it lives, in ``packages``."""
    found = distribution(name)
    for top in {Path(file).parts[0] for file in found.files or ()} - {".."}:
        if top.endswith(".pth") or top == "__pycache__" or (packages / top).exists():
            continue
        (packages / top).symlink_to(found.locate_file(top))


def _alive(marker: str) -> list[str]:
    """Return the command lines of living processes that inherited ``marker``."""
    wanted = f"{MARKER}={marker}".encode()
    return [
        _content(folder / "cmdline").replace(b"\0", b" ").decode()
        for folder in Path("/proc").glob("[0-9]*")
        if wanted in _content(folder / "environ").split(b"\0")
    ]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended, or is another user's
        return b""
