"""What this process waits for now: one call of a host, the start of one, or a lock."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from threading import local
from time import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Watcher = Callable[["Activity | None", "Activity | None"], None]


@dataclass(frozen=True)
class Activity:
    """Something that takes its time."""

    doing: str
    """What, as it follows "cannot" in an error: build toy-ort-fp32-b1."""
    began_s: float
    """Seconds since 1970."""
    kind: str = ""
    """What things of its kind have in common: the host's operation, `START` or `WAIT`."""


START = "start a host"
WAIT = "wait for a lock"
AHEAD = "wait for what is made ahead"

_stack: list[Activity] = []
_beside: list[Activity] = []
_thread = local()
_watchers: list[Watcher] = []


@contextmanager
def activity(doing: str, kind: str) -> Iterator[None]:
    """Let watchers know what is going on, and that it has ended."""
    here = Activity(doing, time(), kind)
    if is_beside():
        _beside.append(here)
        try:
            yield
        finally:
            _beside.remove(here)
        return
    _stack.append(here)
    _show(None)
    try:
        yield
    finally:
        _remove(here)  # it is not the last one if several threads do something
        _show(here)


@contextmanager
def beside() -> Iterator[None]:
    """Let what this thread does go on beside the rest: nobody waits for it."""
    _thread.is_beside = True
    try:
        yield
    finally:
        _thread.is_beside = False


def is_beside() -> bool:
    """Return whether nobody waits for what this thread does."""
    return getattr(_thread, "is_beside", False)


def going_on_beside() -> Activity | None:
    """Return the outermost activity of a thread for which nobody waits."""
    return next(iter(_beside), None)


def watch(watcher: Watcher) -> None:
    """Call ``watcher`` with what goes on now, and what has just ended, at each change."""
    _watchers.append(watcher)


def stop_watching(watcher: Watcher) -> None:
    """Undo `watch`."""
    if watcher in _watchers:
        _watchers.remove(watcher)


def _remove(activity: Activity) -> None:
    del _stack[next(place for place, each in enumerate(_stack) if each is activity)]


def _show(ended: Activity | None) -> None:
    now = _stack[-1] if _stack else None
    for watcher in tuple(_watchers):
        watcher(now, ended)
