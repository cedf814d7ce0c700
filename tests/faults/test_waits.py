"""A run that waits for another run says so, and does not wait for ever."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import INI, SUITES
from tests.faults.test_orphans import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BUSY = """
from pytest_infer import register
from pytest_infer.testing import FakeEngine


def stay_busy():
    import ctypes
    import pathlib

    flag = pathlib.Path({flag!r})
    if not flag.exists():
        flag.touch()
        ctypes.PyDLL(None).sleep(600)


for stage in ("build", "infer"):
    register(FakeEngine("busy-" + stage, "ort", process=stay_busy, stage=stage))
"""
"""Engines that take long in the first run that asks for them, and no time in the next one."""


@dataclass(frozen=True)
class Run:
    """A run that goes on, and what it has printed."""

    process: subprocess.Popen[str]
    printed: list[str]

    def found(self, pattern: str) -> str:
        """Return a printed line that matches, once it is there, else nothing."""
        pattern = rf"(?m)^{pattern}$"
        assert eventually(lambda: re.search(pattern, "".join(self.printed)) is not None), "".join(
            self.printed
        )
        return re.search(pattern, "".join(self.printed))[0]


@pytest.fixture
def start(tmp_path: Path, toy: str, cache: Path) -> Iterator[Callable[..., Run]]:
    """Start runs in one folder; end them with the test. The cache has the toy's graph already."""
    for name in ("test_parity.py", "test_latency.py"):
        (tmp_path / name).write_text((SUITES / name).read_text())
    (tmp_path / "conftest.py").write_text(toy)
    (tmp_path / "busy_engines.py").write_text(BUSY.format(flag=str(tmp_path / "busy")))
    (tmp_path / "pytest.ini").write_text(INI)
    folders = {name: str(tmp_path / "user") for name in ("XDG_CACHE_HOME", "XDG_RUNTIME_DIR")}
    runs = []

    def call(*options: str) -> Run:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and options
            [
                *(sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"),
                *("--infer-model=toy", "--infer-device=cpu", f"--infer-cache={cache}"),
                *("-p", "busy_engines", *options),
            ],
            cwd=tmp_path,
            env=os.environ | folders | {"COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed: list[str] = []
        Thread(target=lambda: printed.extend(process.stdout), daemon=True).start()
        runs.append(process)
        return Run(process, printed)

    yield call
    for run in runs:
        run.kill()
        run.wait()


workers_or_none = pytest.mark.parametrize(
    "workers",
    [
        pytest.param((), id="alone"),
        pytest.param(("-n", "1"), id="worker", marks=pytest.mark.nightly),
    ],
)


def told(what: str, holder: Run, folder: Path) -> str:
    """Return the pattern of the line about a wait for another run."""
    return (
        rf"{what}: waiting for \d+ s now; it is held by process {holder.process.pid} "
        rf"\(since \d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d in {re.escape(str(folder))}: "
        rf"{re.escape(sys.executable)} -m pytest -v .*\)"
    )


@workers_or_none
def test_wait_for_a_device(
    tmp_path: Path, start: Callable[..., Run], workers: tuple[str, ...]
) -> None:
    """A measurement that waits for another run's work names that run, and goes on after it."""
    holder = start("test_parity.py", "-k", "outputs", "--engine=busy-infer")
    assert eventually((tmp_path / "busy").exists), holder.printed
    waiting = start("test_latency.py", "--engine=eager", *workers)
    waiting.found(told("device cpu", holder, tmp_path))
    holder.process.kill()
    waiting.found(r"device cpu: free after \d+ s")
    assert waiting.process.wait() == 0


def test_device_that_is_not_given_back(tmp_path: Path, start: Callable[..., Run]) -> None:
    """A run that begins nothing for the time-out is waited for no longer."""
    holder = start("test_parity.py", "-k", "outputs", "--engine=busy-infer")
    assert eventually((tmp_path / "busy").exists), holder.printed
    waiting = start("test_latency.py", "--engine=eager", "--infer-timeout=15")
    assert waiting.process.wait() == 1
    waiting.found(r"(E +)?cannot use device cpu")
    waiting.found(
        rf"(E +)? *why: +it is held by process {holder.process.pid} .* -m pytest -v .*\), "
        "which has begun nothing for 15 s"
    )
    waiting.found(
        rf"(E +)? *mend: let it go on or end it \(kill {holder.process.pid}\), or wait longer by "
        "--infer-timeout=SECONDS"
    )


@workers_or_none
def test_wait_for_an_engine(
    tmp_path: Path, start: Callable[..., Run], workers: tuple[str, ...]
) -> None:
    """A build of another run is named, though a host waits for it, and is made after it."""
    holder = start("test_parity.py", "-k", "outputs", "--engine=busy-build")
    assert eventually((tmp_path / "busy").exists), holder.printed
    waiting = start("test_parity.py", "-k", "outputs", "--engine=busy-build", *workers)
    waiting.found(told("engines/[0-9a-f]{32} in the cache", holder, tmp_path))
    holder.process.kill()
    waiting.found(r"engines/[0-9a-f]{32} in the cache: free after \d+ s")
    assert waiting.process.wait() == 0
