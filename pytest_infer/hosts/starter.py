"""A thread that starts processes for all others, and lives as long as this process.

A host ends with whoever has started it, which for Linux is a thread (PR_SET_PDEATHSIG, prctl(2)).
The threads that want hosts, such as one of a test, end earlier than the tests that use them.
"""

from __future__ import annotations

from concurrent.futures import Future, wait
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    Wanted = SimpleQueue[tuple[Callable[[], Any], Future[Any]]]

Started = TypeVar("Started")


class Starter:
    """The thread, which there is from the first call on."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._thread: Thread | None = None
        self._wanted: Wanted = SimpleQueue()

    def __call__(self, start: Callable[[], Started]) -> Started:
        """Return what ``start`` returns in that thread; raise what it raises there."""
        done: Future[Started] = Future()
        with self._lock:
            if self._thread is None or not self._thread.is_alive():  # a fork has no such thread
                self._wanted = SimpleQueue()
                self._thread = Thread(
                    target=_run, args=(self._wanted,), name="starts hosts", daemon=True
                )
                self._thread.start()
            self._wanted.put((start, done))
        try:
            return done.result()
        finally:
            wait([done])  # whoever is interrupted must not close what the start still uses


def _run(wanted: Wanted) -> None:
    while True:
        start, done = wanted.get()
        try:
            done.set_result(start())
        except BaseException as error:  # noqa: BLE001 - it is the caller's, who waits for it
            done.set_exception(error)
        del start, done  # not kept until the next one is wanted


started = Starter()
"""The one of this process."""
