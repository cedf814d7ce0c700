"""Stand between an engine host and its caller: when one of them ends, nothing is left behind.

The source of this module is sent to the host's Python, which runs it before anything else, on
whatever machine that is. So it imports nothing of this package.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""Linux's numbers of the requests (prctl(2))."""

GRACE_S = 2.0
"""How long a host may take to end by itself once its caller has closed the connection."""

GIVE_UP_S = 2.0
"""How long killed processes may take to go: the kernel holds one that waits for a driver."""

LOOK_AGAIN_S = 0.01


def keep(aftermath: str) -> None:
    """Split this process in two, and return in the host only.

    The other one, the keeper, adopts every process that the host starts and leaves, in whatever
    session. It ends with the host, as the host did, after it has killed them all. It kills the host
    if its caller dies, asks it to (SIGTERM), or has closed the connection long ago. If the caller
    has died, the keeper runs the source ``aftermath`` last.
    """
    caller, keeper = os.getppid(), os.getpid()
    woken, before = _heard((signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP))
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    host = os.fork()
    if host == 0:
        _become_host(keeper, woken, before)
        return
    status = _watched(host, woken)
    _kill_the_rest()
    if os.getppid() != caller:
        with suppress(Exception):  # nobody is left to read it, and the next run does it again
            exec(aftermath, {})  # noqa: S102 - our own source
    _end_like(status)


def _heard(numbers: tuple[int, ...]) -> tuple[int, dict[int, object]]:
    """Let each of these signals write to a pipe; return its other end, and what was done before."""
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    return woken, {number: signal.signal(number, _nothing) for number in numbers}


def _nothing(_number: int, _frame: object) -> None:
    """Do nothing: the pipe says it."""


def _become_host(keeper: int, woken: int, before: dict[int, object]) -> None:
    """Undo what is the keeper's alone, and end when it does."""
    wake = signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)  # type: ignore[arg-type] # it is what signal() returned
    os.close(woken)
    os.close(wake)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)


def _watched(host: int, woken: int) -> int:
    """Return the wait status of the host, which has ended."""
    watch = select.poll()
    watch.register(woken, select.POLLIN)
    watch.register(sys.stdin.fileno(), select.POLLRDHUP)
    end_s = float("inf")
    while True:
        left_s = max(0.0, end_s - monotonic())
        found = dict(watch.poll(None if left_s == float("inf") else left_s * 1000))
        told = os.read(woken, 4096) if woken in found else b""
        if sys.stdin.fileno() in found:
            watch.unregister(sys.stdin.fileno())
            end_s = monotonic() + GRACE_S
        if monotonic() >= end_s or {signal.SIGTERM, signal.SIGHUP} & set(told):
            os.kill(host, signal.SIGKILL)
            return os.waitpid(host, 0)[1]
        status = _reaped().get(host)
        if status is not None:
            return status


def _reaped() -> dict[int, int]:
    """Return the wait statuses of children that have ended."""
    found = {}
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            found[ended[0]] = ended[1]
    return found


def _kill_the_rest() -> None:
    """Kill every child: those of a killed one become this process's own, until there is none."""
    end_s = monotonic() + GIVE_UP_S
    while _has_children() and monotonic() < end_s:
        for child in _children():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        sleep(LOOK_AGAIN_S)


def _has_children() -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _children() -> list[int]:
    own = str(os.getpid())
    return [int(each.name) for each in Path("/proc").glob("[0-9]*") if _parent(each) == own]


def _parent(process: Path) -> str:
    """Return the parent's number, nothing if the process is gone: the second after its name."""
    try:
        return (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
    except OSError:
        return ""


def _end_like(status: int) -> None:
    """End as the host did, so that whoever waits for this process learns how that was."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the host has left one, if anyone
        with suppress(OSError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _prctl(request: int, value: int) -> None:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(request, value) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
