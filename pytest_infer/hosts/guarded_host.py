"""A host of the pool, whose every call holds the guard of its place."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from pytest_infer.activity import activity
from pytest_infer.hosts.wrapped_host import WrappedHost

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from pytest_infer.errors import InferError
    from pytest_infer.hosts.host import Host
    from pytest_infer.hosts.place import Place

    Guard = Callable[[Place], AbstractContextManager[object]]


class GuardedHost(WrappedHost):
    """Answers one thread after the other; each call holds the guard."""

    def __init__(self, host: Host, guard: Guard, turn: Lock | None = None) -> None:
        super().__init__(host)
        self._guard = guard
        self._turn = turn or Lock()

    def guarded(self, guard: Guard) -> GuardedHost:
        """Return the same host under another guard."""
        return GuardedHost(self._host, guard, self._turn)

    def call(
        self, operation: str, /, *, error: type[InferError], doing: str, **arguments: Any
    ) -> Any:
        """Return the operation's result."""
        with activity(doing, operation), self._guard(self.place), self._turn:
            return self._host.call(operation, error=error, doing=doing, **arguments)
