"""Things that a thread makes before anyone asks for them, one after the other."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from math import inf
from threading import Condition, Thread
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_infer.activity import AHEAD, activity, beside
from pytest_infer.errors import InferError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

Key = TypeVar("Key", bound="Hashable")
Made = TypeVar("Made")

LEAST_CORES = 2
"""With one, whatever is made ahead would only slow down what runs beside it."""

LOOK_AGAIN_S = 0.2
"""How long the end of a run waits for the thread before it ends what was started meanwhile."""

GIVE_UP_S = 10.0
"""How long it waits in all: then the thread ends with this process, and its processes with it."""


def has_cores() -> bool:
    """Return whether there is a core for what is made ahead."""
    return len(os.sched_getaffinity(0)) >= LEAST_CORES


class MadeAhead(Generic[Key, Made]):
    """A thread that makes what it is told to; without that, there is none.

    What fails is not made, nor is None: whoever needs it makes it, and learns why that fails.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[Key], Made | None],
        *,
        doing: Callable[[Key], str],
        stop: Callable[[], object],
        most: float = inf,
    ) -> None:
        """Take ``stop``, which ends what is being made, whatever it is at.

        ``doing`` is what is done, as it follows "cannot". When ``most`` things are made and not
        taken, no other is begun.
        """
        self._name = name
        self._make = make
        self._doing = doing
        self._stop = stop
        self._most = most
        self._state = Condition()
        self._turns: dict[Key, int] = {}
        """Everything that was ever added, by what was first."""
        self._queue: list[Key] = []
        self._current: Key | None = None
        self._made: dict[Key, list[Made]] = {}
        self._pauses = 0
        self._is_over = False
        self._thread: Thread | None = None

    def add(self, *keys: Key) -> None:
        """Make these when those that were added before are made; a key may be there twice."""
        with self._state:
            for key in keys:
                self._turns.setdefault(key, len(self._turns))
            self._queue.extend(keys)
            self._state.notify_all()
        if keys and self._thread is None:
            self._thread = Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def take(self, key: Key, make: Callable[[Key], Made] | None = None) -> Made | None:
        """Return what was made, waiting if it is being made; None if it is to be made now.

        Whoever waits makes what comes next meanwhile, if it says how.
        """
        while make and (other := self._next_beside(key)) is not None:
            self._keep(other, self._tried(make, other))
        with self._state:
            if not self._made.get(key):
                if self._current == key:
                    with activity(self._doing(key), AHEAD):
                        self._state.wait_for(
                            lambda: self._current != key or bool(self._made.get(key))
                        )
                elif key in self._queue:
                    self._queue.remove(key)
            found = self._made.get(key)
            self._state.notify_all()
            return found.pop(0) if found else None

    def put_back(self, key: Key) -> None:
        """Let what was added, and was taken before it was begun, be made in its turn after all."""
        with self._state:
            turn = self._turns.get(key)
            if turn is None or key == self._current or key in self._queue:
                return
            later = (n for n, each in enumerate(self._queue) if self._turns[each] > turn)
            self._queue.insert(next(later, len(self._queue)), key)
            self._state.notify_all()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Wait until nothing is being made, and let nothing be begun meanwhile."""
        with self._state:
            self._pauses += 1
            if self._current is not None:
                with activity(self._doing(self._current), AHEAD):
                    self._state.wait_for(lambda: self._current is None)
        try:
            yield
        finally:
            with self._state:
                self._pauses -= 1
                self._state.notify_all()

    def close(self) -> None:
        """End the thread, whatever it is at."""
        with self._state:
            self._is_over = True
            self._state.notify_all()
        end_s = monotonic() + GIVE_UP_S
        while self._thread and self._thread.is_alive() and monotonic() < end_s:
            self._stop()
            self._thread.join(LOOK_AGAIN_S)

    def _run(self) -> None:
        try:
            with beside():
                while (key := self._next()) is not None:
                    found: Made | None = None
                    try:
                        found = self._tried(self._make, key)
                    finally:
                        self._keep(key, found)
        finally:
            self._stop()

    def _next(self) -> Key | None:
        """Return what is to be made now; None when all is over."""
        with self._state:
            self._state.wait_for(lambda: self._is_over or self._may_begin)
            if self._is_over:
                return None
            self._current = self._queue.pop(0)
            return self._current

    @property
    def _may_begin(self) -> bool:
        waiting = sum(map(len, self._made.values()))
        return bool(self._queue) and not self._pauses and waiting < self._most

    def _next_beside(self, key: Key) -> Key | None:
        """Return what is to be made while the thread makes ``key``; None if it does not."""
        with self._state:
            is_being_made = self._current == key and not self._made.get(key)
            return self._queue.pop(0) if is_being_made and self._may_begin else None

    @staticmethod
    def _tried(make: Callable[[Key], Made | None], key: Key) -> Made | None:
        with suppress(InferError, OSError):  # such as for lack of room or of open files
            return make(key)
        return None

    def _keep(self, key: Key, found: Made | None) -> None:
        """Note that a thing is made, or that it failed."""
        with self._state:
            if self._current == key:
                self._current = None
            if found is not None:
                self._made.setdefault(key, []).append(found)
            self._state.notify_all()
