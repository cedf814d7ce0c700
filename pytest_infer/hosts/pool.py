"""The engine hosts of one session: shared ones by engine, and fresh ones for measurements."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_infer.activity import START, activity
from pytest_infer.errors import InferError
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.hosts.guarded_host import GuardedHost
from pytest_infer.hosts.host_role import HostRole
from pytest_infer.hosts.place import Place, place_here
from pytest_infer.hosts.sent_files import SentFiles
from pytest_infer.hosts.start import DEFAULT, INLINE, start_host
from pytest_infer.made_ahead import MadeAhead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pytest_infer.hosts.guarded_host import Guard
    from pytest_infer.hosts.host import Host
    from pytest_infer.models.source import Source
    from pytest_infer.storage.cache import Cache

EAGER = "eager"
"""The engine whose host has the models' Python code and libraries, unless it is elsewhere."""

MODELS = ""
"""Names the host of the models where that is nobody else's: like this process, and here."""

MOST_AHEAD = 4
"""How many hosts may wait for those who need them; each has 0.2 to 0.5 GB of libraries."""


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
        ahead_guard: Guard | None = None,
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
        self._ahead_guard = ahead_guard or guard
        """The guard of what is done ahead, which must not wait for a measurement of this run."""
        self._fresh_guard = fresh_guard
        """The guard of a measurement's calls, which are within a lock on the device."""
        self._gpu = gpu
        """The UUID of the only GPU that hosts on this machine see; empty: what there is."""
        self._shared: dict[HostRole, GuardedHost] = {}
        self._sent = SentFiles(cache.root)
        self._ahead = MadeAhead(
            "hosts ahead",
            self._prepared,
            doing=lambda role: role.doing,
            stop=self._end_prepared,
            most=MOST_AHEAD,
        )
        self._begun: list[Host] = []
        """The hosts that were started ahead, and that nobody has taken yet."""

    def shared(self, engine: str) -> Host:
        """Return the host in which all parity cases of ``engine`` run.

        Each of its calls holds the guard of its place, which a measurement of another process
        excludes.
        """
        return self._kept(HostRole(engine, "shared"))

    def alone(self, engine: str) -> Host:
        """Return the shared host of ``engine``, whose calls have the device for themselves."""
        self.shared(engine)
        return self._shared[HostRole(engine, "shared")].guarded(self._alone_guard)

    def beside(self, engine: str) -> Host:
        """Return another host of ``engine``, a process beside the shared one."""
        return self._kept(HostRole(engine, "beside"))

    def _kept(self, wanted: HostRole) -> Host:
        host = self._shared.get(wanted)
        if host is None or not host.is_alive:
            begun = self._taken(wanted)
            with self._guard(self.here):
                started = begun or self._started(wanted)
            host = self._shared[wanted] = GuardedHost(started, self._guard)
            if begun is None:
                self._ahead.put_back(wanted)  # it has to import its libraries yet
        return host

    def begin(self, wanted: Sequence[HostRole]) -> None:
        """Start these hosts in this order, and import their libraries, before they are needed.

        Those that run already only import. Those elsewhere, and in this process, are left out.
        """
        self._ahead.add(*(each for each in wanted if self._is_process_here(each.engine)))

    def paused(self) -> AbstractContextManager[None]:
        """Let no host be started ahead meanwhile."""
        return self._ahead.paused()

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
        wanted = HostRole(engine, "fresh")
        begun = None if threads else self._taken(wanted)
        started = begun or self._started(wanted, threads)
        host = GuardedHost(started, self._fresh_guard)
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
        wanted = HostRole(engine, "companion")
        if not self.has_companion(engine):
            started = self._taken(wanted) or self._started(wanted)
            self._shared[wanted] = GuardedHost(started, self._fresh_guard)
        host = self._shared[wanted]
        try:
            yield host
        except BaseException:
            host.close()
            raise

    def has_companion(self, engine: str) -> bool:
        """Return whether a host is kept for the times of ``engine`` beside those of others."""
        host = self._shared.get(HostRole(engine, "companion"))
        return host is not None and host.is_alive

    def close(self) -> None:
        """End every host, and before them the thread that starts some ahead."""
        self._ahead.close()
        while self._shared:
            self._shared.popitem()[1].close()

    def _taken(self, wanted: HostRole) -> Host | None:
        """Return a host that was started ahead, if it answers."""
        host = self._ahead.take(wanted)
        if host is None:
            return None
        self._begun.remove(host)
        with suppress(InferError):  # it may have died since, of which nobody has heard
            _import_libraries(host, wanted)
            return host
        host.close()
        return None

    def _prepared(self, wanted: HostRole) -> Host | None:
        """Return a new host whose libraries are imported; None for one that runs already."""
        running = self._shared.get(wanted)
        if running and running.is_alive:
            _import_libraries(running.guarded(self._ahead_guard), wanted)
            return None
        with self._ahead_guard(self.here):
            host = self._started(wanted)
            self._begun.append(host)
            _import_libraries(host, wanted)
        return host

    def _end_prepared(self) -> None:
        for host in self._begun:
            host.close()

    def _is_process_here(self, engine: str) -> bool:
        return self._specs.get(engine, DEFAULT).startswith(DEFAULT)

    def _started(self, wanted: HostRole, threads: int = 0) -> Host:
        spec = self._specs.get(wanted.engine, DEFAULT)
        with activity(wanted.doing, START):
            return start_host(
                spec,
                environment=wanted.environment(spec, threads=threads, gpu=self._gpu),
                timeout_s=self._timeout_s,
                sources=self._sources(),
                cache=self._cache,
                sent=self._sent,
            )


def _import_libraries(host: Host, wanted: HostRole) -> None:
    EngineClient(host).import_libraries(engine=wanted.engine, doing=wanted.doing)
