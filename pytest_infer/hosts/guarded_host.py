"""A host of the pool, whose every call holds the guard of its place."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from pytest_infer.activity import activity

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from pytest_infer.errors import InferError
    from pytest_infer.hosts.host import Host
    from pytest_infer.hosts.place import Place

    Guard = Callable[[Place], AbstractContextManager[object]]


class GuardedHost:
    """Answers one thread after the other; each call holds the guard."""

    def __init__(self, host: Host, guard: Guard, turn: Lock | None = None) -> None:
        self._host = host
        self._guard = guard
        self._turn = turn or Lock()

    def guarded(self, guard: Guard) -> GuardedHost:
        """Return the same host under another guard."""
        return GuardedHost(self._host, guard, self._turn)

    @property
    def place(self) -> Place:
        """Return where it runs."""
        return self._host.place

    @property
    def is_alive(self) -> bool:
        """Return whether it can still answer."""
        return self._host.is_alive

    def call(
        self, operation: str, /, *, error: type[InferError], doing: str, **arguments: Any
    ) -> Any:
        """Return the operation's result."""
        with activity(doing, operation), self._guard(self.place), self._turn:
            return self._host.call(operation, error=error, doing=doing, **arguments)

    def close(self) -> None:
        """End it."""
        self._host.close()
