"""A wait for a lock is reported, and ends with its holder or when that shows no sign of life."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock, Timeout

from pytest_infer.activity import beside
from pytest_infer.devices.lock import DeviceLock
from pytest_infer.errors import HostError
from pytest_infer.storage import lock_wait
from pytest_infer.storage.lock_wait import Wanted, acquire, listen, stop_listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOLD = """
import sys
from pathlib import Path
from pytest_infer.devices.lock import DeviceLock

with DeviceLock(Path(sys.argv[1]), "cpu").exclusive():
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bool]]]:
    """What is told of waits, which are told of at once."""
    monkeypatch.setattr(lock_wait, "FIRST_S", 0.01)
    monkeypatch.setattr(lock_wait, "AGAIN_S", 0.01)
    lines: list[tuple[str, bool]] = []

    def tell(line: str, is_over: bool) -> None:
        lines.append((line, is_over))

    listen(tell)
    yield lines
    stop_listening(tell)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the CPU until a line comes."""
    process = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_wait_for_which_nobody_waits(told: list[tuple[str, bool]], tmp_path: Path) -> None:
    """It is not told: the run goes on."""
    wanted = Wanted("the thing", tmp_path / "lock")
    with beside():
        assert acquire(wanted, unavailable(2)) == "taken"
    assert told == []
    assert acquire(wanted, unavailable(2)) == "taken"
    assert told


def unavailable(times: int) -> Callable[[float], str]:
    """Return an attempt that comes too early that many times."""
    left = iter(range(times))

    def attempt(_seconds: float) -> str:
        if next(left, None) is not None:
            raise Timeout("lock")
        return "taken"

    return attempt


def test_no_word_of_a_lock_that_is_free(tmp_path: Path, told: list[tuple[str, bool]]) -> None:
    """What is there at once is not worth a line."""
    assert acquire(Wanted("it", tmp_path / "lock"), unavailable(0)) == "taken"
    assert told == []


def test_lines(tmp_path: Path, told: list[tuple[str, bool]]) -> None:
    """Each attempt that fails is reported, and the end; so is a holder that is not seen."""
    assert acquire(Wanted("it", tmp_path / "lock"), unavailable(2)) == "taken"
    waiting = (
        "it: waiting for 0 s now; it is held by a process that cannot be seen from here (in "
        "another container or on another machine)"
    )
    assert told == [(waiting, False), (waiting, False), ("it: free after 0 s", True)]


def test_wait_for_a_device(
    tmp_path: Path, told: list[tuple[str, bool]], holder: subprocess.Popen[str]
) -> None:
    """The holder is named while it works; when it goes on its way, the device is taken."""
    listen(free := _Freeing(holder))
    try:
        with DeviceLock(tmp_path, "cpu").shared():
            assert holder.wait() == 0
    finally:
        stop_listening(free)
    assert re.fullmatch(
        rf"device cpu: waiting for \d s now; it is held by process {holder.pid} "
        rf"\(since \d{{4}}-.* in {re.escape(str(Path.cwd()))}: {sys.executable} -c import sys .*\)",
        free.lines[0],
    )
    assert re.fullmatch(r"device cpu: free after \d+ s", free.lines[-1])
    assert told == []  # the last listener has it all


class _Freeing:
    """A listener that lets the holder go when it hears of the wait."""

    def __init__(self, holder: subprocess.Popen[str]) -> None:
        self._holder = holder
        self.lines: list[str] = []

    def __call__(self, line: str, _is_over: bool) -> None:
        if not self.lines:
            self._holder.stdin.write("go\n")
            self._holder.stdin.flush()
        self.lines.append(line)


def test_holder_without_a_sign_of_life(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """It is named, and how to end it; the wait is over."""
    with (
        pytest.raises(HostError) as caught,
        DeviceLock(tmp_path, "cpu", limit_s=0.2).exclusive(),
    ):
        pass
    assert caught.value.what == "cannot use device cpu"
    assert re.fullmatch(
        rf"it is held by process {holder.pid} \(.*\), which has begun nothing for 0\.2 s",
        caught.value.why,
    )
    assert caught.value.mend == (
        f"let it go on or end it (kill {holder.pid}), or wait longer by --infer-timeout=SECONDS"
    )


def test_holder_that_works_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever touches the file is waited for, ten times as long as the limit; then no longer."""
    file, clock = tmp_path / "lock", iter(range(0, 10_000, 9))
    file.touch()
    now = 0.0

    def attempt(_seconds: float) -> None:
        nonlocal now
        now = next(clock)
        if now < 100:
            os.utime(file, (now, now))
        raise Timeout("lock")

    monkeypatch.setattr(lock_wait, "time", lambda: now)
    with pytest.raises(HostError, match="which has begun nothing for 10 s"):
        acquire(Wanted("it", file, limit_s=10.0), attempt)
    assert 100 < now < 130


def test_times_of_an_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is first given a few seconds, then minutes, and never more than the limit."""
    given: list[float] = []

    def attempt(seconds: float) -> str:
        given.append(seconds)
        if len(given) < 3:
            raise Timeout("lock")
        return "taken"

    acquire(Wanted("it", tmp_path / "lock"), attempt)
    assert given == [5.0, 60.0, 60.0]
    given.clear()
    monkeypatch.setattr(lock_wait, "time", lambda: 0.0)
    acquire(Wanted("it", tmp_path / "lock", limit_s=20.0), attempt)
    assert given == [5.0, 20.0, 20.0]


def test_entry_of_the_cache(tmp_path: Path, told: list[tuple[str, bool]]) -> None:
    """A lock on a file is reported as one on a device is."""
    lock = FileLock(tmp_path / "entry.lock")
    with acquire(Wanted("engines/12ab in the cache", tmp_path / "entry.lock"), lock.acquire):
        assert lock.is_locked
    assert not lock.is_locked
    assert told == []
