"""Builds that take long, begun before their tests, while those of other engines run.

They are made in processes of their own, one after the other, and wait while something is timed.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from pytest_infer.case import Case
from pytest_infer.devices.device import Device
from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import BuildsSlowly
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.made_ahead import MadeAhead, has_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from pytest_infer.config import InferConfig
    from pytest_infer.engines.protocol import BuildRequest
    from pytest_infer.graphs.graph import Graph
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.hosts.results import BuildResult


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
        and has_cores()
    )


class BuildsAhead:
    """Builds what it is given in a process beside the tests; a build that fails is none."""

    def __init__(self, hosts: Callable[[], HostPool], hold: Callable[[str], None]) -> None:
        """Build in a pool that ``hosts`` makes; ``hold`` keeps a built engine's folder."""
        self._make_hosts = hosts
        self._hosts: HostPool | None = None
        self._hold = hold
        self._planned: list[Build] = []
        self._asked: dict[Build, Asked] = {}
        self._builds = MadeAhead(
            "builds ahead", self._made, doing=attrgetter("doing"), stop=self._stop
        )

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
        self._asked[asked.build] = asked
        self._builds.add(asked.build)

    def take(self, build: Build, make: Callable[[Asked], BuildResult]) -> BuildResult | None:
        """Return a build, waiting for one that is being made; None if it is to be made now.

        Meanwhile ``make`` is given what comes next: a core has nothing else to do.
        """
        return self._builds.take(build, lambda other: make(self._asked[other]))

    def paused(self) -> AbstractContextManager[None]:
        """Wait until nothing is being built, and let nothing be begun meanwhile."""
        return self._builds.paused()

    def close(self) -> None:
        """End the thread and its processes, whatever they are at."""
        self._builds.close()

    def _made(self, build: Build) -> BuildResult:
        if self._hosts is None:
            self._hosts = self._make_hosts()
        client = EngineClient(self._hosts.shared(build.case.engine))
        found = self._asked[build].made_by(client, client.host.place.cache)
        self._hold(found.folder)
        return found

    def _stop(self) -> None:
        if self._hosts:
            self._hosts.close()
