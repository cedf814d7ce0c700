"""Builds that take long, begun before their tests, while those of other engines run.

They are made in processes of their own, one after the other, and wait while something is timed.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TYPE_CHECKING, NamedTuple

from pytest_infer.activity import AHEAD, activity, beside
from pytest_infer.case import Case
from pytest_infer.devices.device import Device
from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import BuildsSlowly
from pytest_infer.errors import InferError
from pytest_infer.hosts.engine_client import EngineClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_infer.config import InferConfig
    from pytest_infer.engines.protocol import BuildRequest
    from pytest_infer.graphs.graph import Graph
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.hosts.results import BuildResult

LOOK_AGAIN_S = 0.2
"""How long the end of a run waits for the thread before it ends what was started meanwhile."""

LEAST_CORES = 2
"""With one, a build would only slow down what runs beside it."""


@dataclass(frozen=True)
class Build:
    """One build of a case's engine: the first, or a second to compare with it."""

    case: Case
    is_second: bool = False

    @property
    def doing(self) -> str:
        """Return what is done, as it follows "cannot"."""
        return f"build {self.case.id}" + (" again" if self.is_second else "")


class Asked(NamedTuple):
    """A build, and what it is made from."""

    build: Build
    graph: Graph
    request: BuildRequest

    def made_by(self, client: EngineClient, cache: str) -> BuildResult:
        """Return where the client's host has built it, or found it in the folder ``cache``."""
        return client.build(
            engine=self.build.case.engine,
            graph=self.graph,
            request=self.request,
            cache=cache,
            is_second=self.build.is_second,
            doing=self.build.doing,
        )


def is_made_ahead(build: Build, config: InferConfig) -> bool:
    """Return whether a build is worth a process beside the tests, and changes nothing for them.

    A setting may let a build time what it chooses from, and one on a GPU always might.
    """
    case = build.case
    return (
        not case.options
        and case.engine not in config.hosts
        and isinstance(engines.find(case.engine), BuildsSlowly)
        and not Device.named(case.device).is_gpu
        and not (build.is_second and config.thorough)
        and len(os.sched_getaffinity(0)) >= LEAST_CORES
    )


class BuildsAhead:
    """A thread that builds what it is given; without that, there is none.

    A build that fails is none: its test makes it again, with nothing beside it, and tells why.
    """

    def __init__(self, hosts: Callable[[], HostPool], hold: Callable[[str], None]) -> None:
        """Build in a pool that ``hosts`` makes; ``hold`` keeps a built engine's folder."""
        self._make_hosts = hosts
        self._hosts: HostPool | None = None
        self._hold = hold
        self._planned: list[Build] = []
        self._state = Condition()
        self._queue: list[Asked] = []
        self._current: Build | None = None
        self._built: dict[Build, BuildResult] = {}
        self._pauses = 0
        self._is_over = False
        self._thread: Thread | None = None

    def plan(self, builds: Iterable[Build]) -> None:
        """Note what tests will need, in their order."""
        self._planned = list(dict.fromkeys(builds))

    def take_planned(self, model: str) -> list[Build]:
        """Return what is planned of a model, which is planned no more."""
        own = [build for build in self._planned if build.case.model == model]
        self._planned = [build for build in self._planned if build.case.model != model]
        return own

    def add(self, asked: Asked) -> None:
        """Make a build when those that were added before it are made."""
        with self._state:
            self._queue.append(asked)
            self._state.notify_all()
        if self._thread is None:
            self._thread = Thread(target=self._run, name="builds ahead", daemon=True)
            self._thread.start()

    def take(self, build: Build) -> BuildResult | None:
        """Return a build, waiting for one that is being made; None if it is to be made now."""
        with self._state:
            self._queue = [asked for asked in self._queue if asked.build != build]
            if self._current == build:
                with activity(build.doing, AHEAD):
                    self._state.wait_for(lambda: self._current != build)
            return self._built.pop(build, None)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Wait until nothing is being built, and let nothing be begun meanwhile."""
        with self._state:
            self._pauses += 1
            if self._current:
                with activity(self._current.doing, AHEAD):
                    self._state.wait_for(lambda: self._current is None)
        try:
            yield
        finally:
            with self._state:
                self._pauses -= 1
                self._state.notify_all()

    def close(self) -> None:
        """End the thread and its processes, whatever they are at."""
        with self._state:
            self._is_over = True
            self._state.notify_all()
        while self._thread and self._thread.is_alive():
            if self._hosts:
                self._hosts.close()
            self._thread.join(LOOK_AGAIN_S)

    def _run(self) -> None:
        hosts = self._hosts = self._make_hosts()
        try:
            with beside():
                while asked := self._next():
                    found: BuildResult | None = None
                    try:
                        with suppress(InferError):
                            found = self._made(asked, hosts)
                    finally:
                        self._end(asked.build, found)
        finally:
            hosts.close()  # by this thread, with which the processes that it has started end

    def _next(self) -> Asked | None:
        """Return what is to be built now; None when all is over."""
        with self._state:
            self._state.wait_for(lambda: self._is_over or (self._queue and not self._pauses))
            if self._is_over:
                return None
            asked = self._queue.pop(0)
            self._current = asked.build
            return asked

    def _made(self, asked: Asked, hosts: HostPool) -> BuildResult:
        client = EngineClient(hosts.shared(asked.build.case.engine))
        found = asked.made_by(client, client.host.place.cache)
        self._hold(found.folder)
        return found

    def _end(self, build: Build, found: BuildResult | None) -> None:
        with self._state:
            self._current = None
            if found:
                self._built[build] = found
            self._state.notify_all()
