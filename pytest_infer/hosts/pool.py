"""The engine hosts of one session: shared ones by engine, and fresh ones for measurements."""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_infer.activity import START, activity
from pytest_infer.hosts.heap import KEEPING
from pytest_infer.hosts.place import Place, place_here
from pytest_infer.hosts.sent_files import SentFiles
from pytest_infer.hosts.start import DEFAULT, INLINE, start_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pytest_infer.errors import InferError
    from pytest_infer.hosts.host import Host
    from pytest_infer.models.source import Source
    from pytest_infer.storage.cache import Cache

    Guard = Callable[[Place], AbstractContextManager[object]]

EAGER = "eager"
"""The engine whose host has the models' Python code and libraries, unless it is elsewhere."""

MODELS = ""
"""Names the host of the models where that is nobody else's: like this process, and here."""


THREADS = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "TVM_NUM_THREADS")
"""The environment that sets how many threads a host computes on.

The limit is for compiled code that has a number of threads built in.
"""

WAITING = "OMP_WAIT_POLICY"
"""The environment that sets how OpenMP's threads wait for each other.

They spin unless it is ``passive``: beside other work each then keeps a core from the thread that it
waits for. MobileNetV2's weights took 32 s instead of 4 s so, and 6 s with it (2 cores, 2 loops).
"""

UNTIMED: Mapping[str, str] = {WAITING: "passive", **KEEPING}
"""The environment of a host in which nothing is timed."""

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The environment of a host that sees these GPUs only."""


class HostPool:
    """Starts hosts when they are first needed, and new ones for those that died."""

    def __init__(
        self,
        specs: Mapping[str, str],
        *,
        timeout_s: float,
        sources: Callable[[], Sequence[Source]],
        cache: Cache,
        guard: Guard,
        alone_guard: Guard | None = None,
        fresh_guard: Guard = nullcontext,
        gpu: str = "",
    ) -> None:
        self._specs = specs
        self._timeout_s = timeout_s
        self._sources = sources
        self._cache = cache
        self._guard = guard
        self._alone_guard = alone_guard or guard
        """The guard of calls that nothing else may run beside on their device."""
        self._fresh_guard = fresh_guard
        """The guard of a measurement's calls, which are within a lock on the device."""
        self._gpu = gpu
        """The UUID of the only GPU that hosts on this machine see; empty: what there is."""
        self._shared: dict[str, _GuardedHost] = {}
        self._sent = SentFiles(cache.root)

    def shared(self, engine: str) -> Host:
        """Return the host in which all parity cases of ``engine`` run.

        Each of its calls holds the guard of its place, which a measurement of another process
        excludes.
        """
        return self._kept(engine, engine)

    def alone(self, engine: str) -> Host:
        """Return the shared host of ``engine``, whose calls have the device for themselves."""
        self.shared(engine)
        return self._shared[engine].guarded(self._alone_guard)

    def beside(self, engine: str) -> Host:
        """Return another host of ``engine``, a process beside the shared one."""
        return self._kept(f"{engine} beside", engine)

    def _kept(self, name: str, engine: str) -> Host:
        host = self._shared.get(name)
        if host is None or not host.is_alive:
            with self._guard(self.here), activity(f"start the host of {engine or 'models'}", START):
                host = _GuardedHost(self._start(engine, self._untimed(engine)), self._guard)
            self._shared[name] = host
        return host

    def models(self) -> Host:
        """Return the host that has the models' code, and writes files that this process reads."""
        return self.shared(EAGER if self.place(EAGER).sees_files else MODELS)

    def place(self, engine: str) -> Place:
        """Return where an engine's host runs; the default one's is known without starting it."""
        if self._specs.get(engine, DEFAULT) in (DEFAULT, INLINE):
            return self.here
        return self.shared(engine).place

    @cached_property
    def here(self) -> Place:
        """Return where this process runs."""
        place = place_here(str(self._cache.root), sees_files=True)
        return replace(place, gpus=(self._gpu,)) if self._gpu else place

    def is_inline(self, engine: str) -> bool:
        """Return whether ``engine`` runs in this process, for a debugger."""
        return self._specs.get(engine, DEFAULT) == INLINE

    @property
    def sent_bytes(self) -> dict[str, int]:
        """Return how much of this machine's files went to each machine that does not see them."""
        return dict(self._sent.bytes)

    @contextmanager
    def fresh(self, engine: str, threads: int = 0) -> Iterator[Host]:
        """Start a host for one measurement, and end it afterwards.

        Libraries that take their number of threads from the environment find ``threads`` there,
        unless it is 0.
        """
        named = dict.fromkeys(THREADS, str(threads)) if threads else {}
        with activity(f"start a fresh host of {engine}", START):
            host = _GuardedHost(self._start(engine, named), self._fresh_guard)
        try:
            yield host
        finally:
            host.close()

    @contextmanager
    def companion(self, engine: str) -> Iterator[Host]:
        """Lend a host that is kept for the times of ``engine`` beside those of others.

        Most of a fresh one's time would go into importing. An error ends it: something may still
        run there.
        """
        name = _companion(engine)
        if not self.has_companion(engine):
            with activity(f"start a host of {engine}", START):
                self._shared[name] = _GuardedHost(self._start(engine, {}), self._fresh_guard)
        host = self._shared[name]
        try:
            yield host
        except BaseException:
            host.close()
            raise

    def has_companion(self, engine: str) -> bool:
        """Return whether a host is kept for the times of ``engine`` beside those of others."""
        host = self._shared.get(_companion(engine))
        return host is not None and host.is_alive

    def close(self) -> None:
        """End every host."""
        while self._shared:
            self._shared.popitem()[1].close()

    def _untimed(self, engine: str) -> dict[str, str]:
        """Return the environment of a host in which nothing is timed, without what the user set."""
        spec = self._specs.get(engine, DEFAULT)
        return {
            name: value
            for name, value in UNTIMED.items()
            if name not in os.environ and f"env:{name}=" not in spec
        }

    def _start(self, engine: str, environment: Mapping[str, str]) -> Host:
        spec = self._specs.get(engine, DEFAULT)
        is_bound = self._gpu and spec.startswith(DEFAULT) and VISIBLE not in spec
        return start_host(
            spec,
            environment={**environment, VISIBLE: self._gpu} if is_bound else environment,
            timeout_s=self._timeout_s,
            sources=self._sources(),
            cache=self._cache,
            sent=self._sent,
        )


def _companion(engine: str) -> str:
    """Return the name of the host that is kept for an engine's times."""
    return f"{engine} timed"


class _GuardedHost:
    """A host whose every call holds the guard of its place."""

    def __init__(self, host: Host, guard: Guard) -> None:
        self._host = host
        self._guard = guard

    def guarded(self, guard: Guard) -> _GuardedHost:
        """Return the same host under another guard."""
        return _GuardedHost(self._host, guard)

    @property
    def place(self) -> Place:
        return self._host.place

    @property
    def is_alive(self) -> bool:
        return self._host.is_alive

    def call(
        self, operation: str, /, *, error: type[InferError], doing: str, **arguments: Any
    ) -> Any:
        with activity(doing, operation), self._guard(self.place):
            return self._host.call(operation, error=error, doing=doing, **arguments)

    def close(self) -> None:
        self._host.close()
