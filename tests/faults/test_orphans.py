"""What a run that is killed leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from filelock import FileLock

from tests.faults.conftest import INI, MARKER, SUITES, _alive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BUSY = """

def stay_busy():
    import ctypes
    import os
    import pathlib

    if os.fork() == 0:
        os.setsid()  # no signal to a group or a session reaches it
    else:
        pathlib.Path({flag!r}).touch()
    ctypes.PyDLL(None).sleep(600)  # in C, and nobody else gets the interpreter meanwhile


register(FakeEngine("busy", "ort", process=stay_busy, stage="build"))
"""
WAIT_S = 120
RELEASE_S = 10
"""A process that ends has no environment any more a moment before it gives its locks back."""


def eventually(is_so: Callable[[], bool]) -> bool:
    """Return whether something comes true while we wait."""
    end = time.monotonic() + WAIT_S
    while not is_so() and time.monotonic() < end:
        time.sleep(0.1)
    return is_so()


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGHUP reach what is started, though & or nohup started these tests.

    They would be ignored here, and so by all that is started from here.
    """
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@dataclass(frozen=True)
class BusyRun:
    """A run whose host builds, and has forked."""

    process: subprocess.Popen[bytes]
    marker: str


def busy_run(folder: Path, toy: str, *options: str, **environment: str) -> BusyRun:
    """Start a run in ``folder``; return it when its host is busy in a library."""
    flag, marker = folder / "busy", uuid4().hex
    (folder / "test_parity.py").write_text((SUITES / "test_parity.py").read_text())
    (folder / "conftest.py").write_text(toy + BUSY.format(flag=str(flag)))
    (folder / "pytest.ini").write_text(INI)
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and options
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", "outputs"),
            *("--infer-model=toy", "--infer-device=cpu", "--engine=busy", *options),
        ],
        cwd=folder,
        env=os.environ | {MARKER: marker} | environment,
        stdout=subprocess.DEVNULL,
    )
    assert eventually(flag.exists)
    assert _alive(marker)
    return BusyRun(process, marker)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "1"), marks=pytest.mark.nightly)])
def test_hosts_end_with_a_run_that_is_killed(
    tmp_path: Path, toy: str, number: int, workers: tuple[str, ...]
) -> None:
    """A host that is busy in a library does not survive its run, nor does what it has forked.

    The cache is not locked, and no draft is left in it.
    """
    run = busy_run(tmp_path, toy, f"--infer-cache={tmp_path / 'cache'}", *workers)
    run.process.send_signal(number)
    run.process.wait()
    assert eventually(lambda: not _alive(run.marker)), _alive(run.marker)
    assert not list((tmp_path / "cache").rglob(".draft-*"))
    for lock in (tmp_path / "cache").rglob("*.lock"):
        FileLock(lock, timeout=RELEASE_S).acquire()


def test_temporary_cache_of_a_run_that_is_killed(tmp_path: Path, toy: str) -> None:
    """A cache that was to end with the run ends with it, however that is."""
    (tmp_path / "tmp").mkdir()
    run = busy_run(tmp_path, toy, "--infer-cache=off", TMPDIR=str(tmp_path / "tmp"))
    assert list((tmp_path / "tmp").glob("pytest-infer-*/engines/.draft-*"))
    run.process.kill()
    run.process.wait()
    assert eventually(lambda: not _alive(run.marker)), _alive(run.marker)
    assert not list((tmp_path / "tmp").glob("pytest-infer-*"))
