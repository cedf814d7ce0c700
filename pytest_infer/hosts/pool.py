"""The engine hosts of one session: shared ones by engine, and fresh ones for measurements."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_infer.hosts.host import DEFAULT, start_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pytest_infer.errors import InferError
    from pytest_infer.hosts.host import Host
    from pytest_infer.spec import Source

    Guard = Callable[[], AbstractContextManager[object]]


class HostPool:
    """Starts hosts when they are first needed, and new ones for those that died."""

    def __init__(
        self,
        specs: Mapping[str, str],
        *,
        timeout_s: float,
        sources: Callable[[], Sequence[Source]],
        guard: Guard,
    ) -> None:
        self._specs = specs
        self._timeout_s = timeout_s
        self._sources = sources
        self._guard = guard
        self._shared: dict[str, _GuardedHost] = {}

    def shared(self, engine: str) -> Host:
        """Return the host in which all parity cases of ``engine`` run.

        Each of its calls holds the guard, which a measurement of another process excludes.
        """
        host = self._shared.get(engine)
        if host is None or not host.is_alive:
            with self._guard():
                host = _GuardedHost(self._start(engine), self._guard)
            self._shared[engine] = host
        return host

    @contextmanager
    def fresh(self, engine: str) -> Iterator[Host]:
        """Start a host for one measurement, and end it afterwards."""
        host = self._start(engine)
        try:
            yield host
        finally:
            host.close()

    def close(self) -> None:
        """End every host."""
        while self._shared:
            self._shared.popitem()[1].close()

    def _start(self, engine: str) -> Host:
        spec = self._specs.get(engine, DEFAULT)
        return start_host(spec, timeout_s=self._timeout_s, sources=self._sources())


class _GuardedHost:
    """A host whose every call holds a guard."""

    def __init__(self, host: Host, guard: Guard) -> None:
        self._host = host
        self._guard = guard

    @property
    def is_alive(self) -> bool:
        return self._host.is_alive

    def call(
        self, operation: str, /, *, error: type[InferError], doing: str, **arguments: Any
    ) -> Any:
        with self._guard():
            return self._host.call(operation, error=error, doing=doing, **arguments)

    def close(self) -> None:
        self._host.close()
