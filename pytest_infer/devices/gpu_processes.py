"""Find processes on a GPU that are not this run's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

MIB = 1 << 20


def foreign(compute: Sequence[Any] | None, graphics: Sequence[Any] | None) -> list[str] | None:
    """Return one text per process on the GPU that is not this run's; None is unknown.

    ``compute`` and ``graphics`` are NVML's lists, None where it refuses. This process must be at
    work on the GPU. In a container NVML may count processes as the machine does and not as the
    container, so that none of them has this process's number: then one of them is this one, the
    others are foreign, and nobody can say which. A list without any process at all is a driver
    that hides them.
    """
    if compute is None and graphics is None:
        return None
    found = {each.pid: each.usedGpuMemory for each in (*(compute or ()), *(graphics or ()))}
    if os.getpid() in found:
        others = {pid: size for pid, size in found.items() if not _is_ours(pid)}
        return [_told(pid, size) for pid, size in sorted(others.items())]
    if not found:
        return None
    listed = ", ".join(map(str, sorted(found)))
    return [f"one of the pids {listed}, which this container does not know"] * (len(found) - 1)


def _is_ours(pid: int) -> bool:
    """Return whether a process is this one, its caller, or another engine host of its caller's.

    Hosts of one caller have one command line but for the interpreter. Under xdist the idle hosts
    of other workers are foreign.
    """
    caller = _caller(os.getpid())
    if pid in {os.getpid(), caller}:
        return True
    return _caller(pid) == caller and _arguments(pid) == _arguments(os.getpid())


def _caller(pid: int) -> int:
    """Return who has started a process: between a host and its caller is a fork, its keeper."""
    parent = _parent(pid)
    return _parent(parent) if _arguments(parent) == _arguments(pid) else parent


def _told(pid: int, used_bytes: int | None) -> str:
    name = _read(pid, "comm").strip() or "unknown"
    size = "memory unknown" if used_bytes is None else f"{used_bytes / MIB:.0f} MiB"
    return f"pid {pid} ({name}), {size}"


def _parent(pid: int) -> int:
    """Return the parent's number, 0 if the process is gone: the second field after its name."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[1]) if fields else 0


def _arguments(pid: int) -> list[str]:
    return _read(pid, "cmdline").split("\0")[1:]


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
