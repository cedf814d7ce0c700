"""Wait for a lock, and say for whom: as long as its holder works, and no longer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pytest_infer.activity import WAIT, activity, is_beside
from pytest_infer.errors import HostError
from pytest_infer.storage.lock_holders import holders

if TYPE_CHECKING:
    from collections.abc import Callable

    Tell: TypeAlias = Callable[[str, bool], None]
    """Takes a line, and whether it is the last one about this wait."""

T = TypeVar("T")

FIRST_S, AGAIN_S = 5.0, 60.0
"""After how long a wait is reported, and how often from then on."""

UNSEEN = "a process that cannot be seen from here (in another container or on another machine)"

_LISTENERS: list[Tell] = []
"""Who gets the lines about waits: the last of them."""


@dataclass(frozen=True)
class Wanted:
    """A lock, and what it stands for."""

    what: str
    file: Path
    limit_s: float = float("inf")
    """How long its holder may show no sign of life, which is to touch the file."""


def listen(tell: Tell) -> None:
    """Let ``tell`` have every line about a wait of this process."""
    _LISTENERS.append(tell)


def stop_listening(tell: Tell) -> None:
    """Undo `listen`."""
    if tell in _LISTENERS:
        _LISTENERS.remove(tell)


def tell_listener(line: str, *, is_over: bool) -> None:
    """Pass on a line about a wait, of this process or of one that it waits for."""
    for tell in _LISTENERS[-1:] if not is_beside() else ():
        tell(line, is_over)


def acquire(wanted: Wanted, attempt: Callable[[float], T]) -> T:
    """Return what ``attempt`` does, which takes seconds and raises `filelock.Timeout` after them.

    A kernel's lock ends with its holder, so that a wait without a limit ends with the holder's
    work or life. Raise `HostError` when the holder has shown no sign of life for the limit.
    """
    with activity(f"wait for {wanted.what}", WAIT):
        return _acquired(wanted, attempt)


def _acquired(wanted: Wanted, attempt: Callable[[float], T]) -> T:
    from filelock import Timeout

    began_s, pause_s, is_told = time(), FIRST_S, False
    while True:
        left_s = wanted.limit_s - _silence_s(wanted, began_s)
        try:
            taken = attempt(min(pause_s, max(0.0, left_s)))
        except Timeout as error:
            if left_s <= 0:
                raise _abandoned(wanted) from error
        else:
            break
        if left_s > pause_s:
            tell_listener(_line(wanted, time() - began_s), is_over=False)
            pause_s, is_told = AGAIN_S, True
    if is_told:
        tell_listener(f"{wanted.what}: free after {time() - began_s:.0f} s", is_over=True)
    return taken


def _silence_s(wanted: Wanted, began_s: float) -> float:
    """Return for how long the holder has shown no sign of life while we waited."""
    try:
        seen_s = wanted.file.stat().st_mtime
    except FileNotFoundError:  # nobody has ever held it
        seen_s = began_s
    return max(0.0, time() - max(began_s, seen_s))


def _line(wanted: Wanted, waited_s: float) -> str:
    return f"{wanted.what}: waiting for {waited_s:.0f} s now; it is held by {_told(wanted)}"


def _told(wanted: Wanted) -> str:
    return " and ".join(map(str, holders(wanted.file))) or UNSEEN


def _abandoned(wanted: Wanted) -> HostError:
    pids = " ".join(str(each.pid) for each in holders(wanted.file))
    end = f"end it (kill {pids})" if pids else "end it"
    return HostError(
        f"cannot use {wanted.what}",
        why=f"it is held by {_told(wanted)}, which has begun nothing for {wanted.limit_s:g} s",
        mend=f"let it go on or {end}, or wait longer by --infer-timeout=SECONDS",
    )
