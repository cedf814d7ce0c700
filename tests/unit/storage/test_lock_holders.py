"""The kernel names who holds a lock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from pytest_infer.devices.lock import DeviceLock
from pytest_infer.storage import lock_holders
from pytest_infer.storage.lock_holders import holders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOLD = """
import sys
from contextlib import ExitStack
from filelock import FileLock, ReadWriteLock

with ExitStack() as stack:
    if sys.argv[2] == "file":
        stack.enter_context(FileLock(sys.argv[1]))
    else:
        stack.enter_context(getattr(ReadWriteLock(sys.argv[1]), f"{sys.argv[2]}_lock")())
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Have another process hold the lock, until the test ends; return its number."""
    processes = []

    def call(file: Path, how: str) -> int:
        process = subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", HOLD, str(file), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process.pid

    yield call
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", ["file", "read", "write"])
def test_holder(tmp_path: Path, hold: Callable[..., int], how: str) -> None:
    """Its number, command, folder and start are reported."""
    file = tmp_path / "lock"
    before = datetime.now().astimezone().replace(microsecond=0).timestamp()
    pid = hold(file, how)
    (found,) = holders(file)
    assert (found.pid, found.folder, found.is_stopped) == (pid, str(tmp_path), False)
    assert found.command.startswith(f"{sys.executable} -c import sys")
    assert len(found.command) <= 201
    started = datetime.strptime(found.started, "%Y-%m-%d %H:%M:%S").astimezone().timestamp()
    assert abs(started - before) < 3600  # the kernel's clocks drift apart in a machine that sleeps


def test_all_that_share_it(tmp_path: Path, hold: Callable[..., int]) -> None:
    """Each of several is reported."""
    file = tmp_path / "lock"
    assert {hold(file, "read"), hold(file, "read")} == {each.pid for each in holders(file)}


def test_the_dead_and_other_files(tmp_path: Path, hold: Callable[..., int]) -> None:
    """A process that has ended holds nothing, nor does one that holds another file's lock."""
    file, other = tmp_path / "lock", tmp_path / "other"
    pid = hold(file, "file")
    hold(other, "file")
    assert len(holders(file)) == 1
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert holders(file) == []
    assert holders(tmp_path / "never made") == []


def test_stopped(tmp_path: Path, hold: Callable[..., int]) -> None:
    """A run that was suspended is reported as such: only its user can let it go on."""
    file = tmp_path / "lock"
    pid = hold(file, "file")
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    (found,) = holders(file)
    assert found.is_stopped
    assert f"process {pid}, which is stopped, (since" in str(found)


def test_run_of_a_host(tmp_path: Path) -> None:
    """A process that execnet has started is reported as the run behind it: here, this one."""
    lock = tmp_path / "lock"
    host = subprocess.Popen(
        [sys.executable, "-c", "import sys;exec(eval(sys.stdin.readline()))"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    source = f"import sys; sys.argv[1:] = [{str(lock)!r}, 'file']{HOLD}"
    host.stdin.write(f"{source!r}\n")
    host.stdin.flush()
    assert host.stdout.readline() == "held\n"
    found = holders(lock)
    host.kill()
    host.communicate()
    assert [each.pid for each in found] == [lock_holders._run_of(os.getpid())]


def test_locks_of_this_package(tmp_path: Path) -> None:
    """What it locks is found: this process holds it."""
    own = lock_holders._run_of(os.getpid())
    with FileLock(tmp_path / "entry.lock"), DeviceLock(tmp_path, "cpu").exclusive():
        assert [each.pid for each in holders(tmp_path / "entry.lock")] == [own]
        assert [each.pid for each in holders(tmp_path / "cpu.db")] == [own]
