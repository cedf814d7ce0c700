"""Which processes hold a lock, as the kernel says: it never names the dead."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = Path("/proc")

WAITS = "->"
"""In a line of ``/proc/locks``: ``1: FLOCK ADVISORY WRITE 123 08:02:1234 0 EOF`` is of a holder,
``1: -> FLOCK …`` of one who waits for it."""

STARTED_BY_EXECNET = "exec(eval(sys.stdin.readline()))"
"""In the command of a host, its keeper and a worker of xdist: whoever started it says more."""

COMMAND_LETTERS = 200
"""What is shown of a command."""


@dataclass(frozen=True)
class Holder:
    """A run that holds a lock: the process that a user has started, not its worker or host."""

    pid: int
    command: str
    folder: str
    started: str
    is_stopped: bool
    """It has been suspended (Ctrl-Z, SIGSTOP), and goes on when it is resumed."""

    def __str__(self) -> str:
        state = ", which is stopped," if self.is_stopped else ""
        return f"process {self.pid}{state} (since {self.started} in {self.folder}: {self.command})"


def holders(file: Path) -> list[Holder]:
    """Return the runs with a lock on ``file``, none that this process may not see.

    Another container's, another machine's and another user's cannot be seen.
    """
    found: dict[int, Holder] = {}
    if not file.exists():
        return []
    for pid in sorted(_listed(file.stat().st_ino)):
        if _has_opened(pid, file):
            run = _run_of(pid)
            found[run] = _holder(run, is_stopped=_is_stopped(pid) or _is_stopped(run))
    return list(found.values())


def _listed(inode: int) -> Iterator[int]:
    """Yield who has a lock on a file of that number, on whatever file system."""
    for line in _read(PROC / "locks").splitlines():
        fields = line.split()
        if WAITS not in fields and fields[5].rpartition(":")[2] == str(inode):
            yield int(fields[4])


def _has_opened(pid: int, file: Path) -> bool:
    with suppress(OSError):  # it is gone, or another user's
        return any(_is_same(each, file) for each in (PROC / str(pid) / "fd").iterdir())
    return False


def _is_same(opened: Path, file: Path) -> bool:
    try:
        return opened.samefile(file)
    except OSError:
        return False


def _run_of(pid: int) -> int:
    """Return the nearest ancestor that execnet has not started, or the process itself."""
    parent = int(_fields(pid)[1])
    is_started_by_other = STARTED_BY_EXECNET in _command(pid) and parent > 1
    return _run_of(parent) if is_started_by_other else pid


def _holder(pid: int, *, is_stopped: bool) -> Holder:
    folder = "an unknown folder"
    with suppress(OSError):
        folder = str((PROC / str(pid) / "cwd").readlink())
    return Holder(pid, _command(pid), folder, _started(pid), is_stopped)


def _command(pid: int) -> str:
    text = " ".join(_read(PROC / str(pid) / "cmdline").replace("\0", " ").split())
    return text if len(text) <= COMMAND_LETTERS else f"{text[:COMMAND_LETTERS]}…"


def _started(pid: int) -> str:
    """Return when a process has started: the kernel counts from the machine's start."""
    lines = _read(PROC / "stat").splitlines()
    boot_s = next((float(line.split()[1]) for line in lines if line.startswith("btime ")), 0.0)
    at_s = boot_s + int(_fields(pid)[19]) / os.sysconf("SC_CLK_TCK")
    return f"{datetime.fromtimestamp(at_s).astimezone():%Y-%m-%d %H:%M:%S}"


def _is_stopped(pid: int) -> bool:
    return _fields(pid)[0] in ("T", "t")


def _fields(pid: int) -> list[str]:
    """Return what the kernel says of a process, after its name; zeros if it is gone."""
    return _read(PROC / str(pid) / "stat").rpartition(")")[2].split() or ["0"] * 20


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
