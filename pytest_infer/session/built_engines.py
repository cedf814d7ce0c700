"""Built engines, each built once per machine."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import BuiltEngine, Missing, TimesKernels
from pytest_infer.engines.requests import (
    build_request,
    profile_request,
    refuse_gpu_settings,
    shape_request,
)
from pytest_infer.errors import InferError
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.session.builds_ahead import Asked, Build
from pytest_infer.session.kept import Kept
from pytest_infer.storage.digest import digest_of_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_infer.case import Case
    from pytest_infer.engines.protocol import BuildRequest
    from pytest_infer.graphs.graph import Graph
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.hosts.results import BuildResult
    from pytest_infer.session.builds_ahead import BuildsAhead
    from pytest_infer.session.case_graphs import CaseGraphs
    from pytest_infer.storage.cache import Cache


@dataclass
class Tally:
    """How many engines were found in a cache, how many were made, and what was odd."""

    found: int = 0
    made: int = 0
    notices: tuple[str, ...] = ()

    def count(self, *, is_new: bool, notice: str) -> None:
        """Count one entry of a cache."""
        self.made += is_new
        self.found += not is_new
        self.notices += (f"{notice}; it was made again",) if notice else ()


class BuiltEngines:
    """Lets each engine be built in its host, unless the cache there has it."""

    def __init__(
        self,
        cache: Cache,
        hosts: HostPool,
        graphs: CaseGraphs,
        timings: Callable[[Case], dict[str, bytes]],
        *,
        keeps_second: bool = False,
        ahead: BuildsAhead | None = None,
    ) -> None:
        """Take ``timings``, which returns what is kept of earlier builds beside the baselines.

        ``keeps_second`` lets second builds stay in the cache, too. What ``ahead`` plans is built
        there once the graph of its model is known.
        """
        self._cache = cache
        self._keeps_second = keeps_second
        self._ahead = ahead
        self._timings = timings
        self._hosts = hosts
        self._graphs = graphs
        self._kept = Kept()
        self._folders: list[TemporaryDirectory[str]] = []
        self.tally = Tally()

    def of(self, case: Case) -> BuiltEngine:
        """Return the built engine of ``case``, built once per machine, and kept there."""
        return self._kept.once(("built", case), lambda: self._own(Build(case)))

    def profiled(self, case: Case) -> BuiltEngine | Missing:
        """Return one engine for every shape of the model's profile, or why there is none."""
        request = profile_request(case)
        if isinstance(request, Missing):
            return request
        return self._kept.once(("profiled", case), lambda: self._wide(case, request))

    def shaped(self, case: Case, sizes: Mapping[str, int]) -> BuiltEngine:
        """Return the engine of one shape of the model's profile."""
        key = ("shaped", case, tuple(sizes.items()))
        request = shape_request(case, sizes)
        return self._kept.once(key, lambda: self._wide(case, request))

    def built_from(self, case: Case, graph: Graph, cache: str) -> BuiltEngine:
        """Return the engine of ``case`` built from another graph, in another cache."""
        digest = digest_of_file(Path(graph.file))
        return self._build(case, cache=cache, graph=replace(graph, digest=digest))

    def rebuilt(self, case: Case) -> BuiltEngine:
        """Return the engine of ``case``, built a second time; the first build stays.

        Where second builds are kept, this one is in the cache beside the first, and was perhaps
        made by an earlier run. Otherwise, and for a builder that times kernels, which would take
        its choices from what is kept beside the cache, it gets a separate folder: on this machine
        that goes with this object, on another one it stays in its cache.
        """
        if self._keeps_second and not isinstance(engines.find(case.engine), TimesKernels):
            return self._own(Build(case, is_second=True))
        place = self._hosts.shared(case.engine).place
        name = f"rebuilt-{uuid4().hex}"
        if place.sees_files:
            self._folders.append(TemporaryDirectory(prefix=name))
            return self._build(case, cache=self._folders[-1].name)
        return self._build(case, cache=f"{place.cache}/{name}")

    def hold(self, case: Case, folder: str) -> None:
        """Let a built engine of this machine's cache stay until this process ends.

        On another machine, the host that built or found it lets it stay.
        """
        if self._hosts.place(case.engine).sees_files:
            self._cache.hold(Path(folder))

    def _wide(self, case: Case, request: BuildRequest) -> BuiltEngine:
        return self._build(case, graph=self._graphs.wide(case, request), request=request)

    def _own(self, build: Build) -> BuiltEngine:
        """Return a build from the case's own graph and settings: begun ahead, or made now."""
        found = None
        if self._ahead:
            self._begin(build, self._ahead)
            found = self._ahead.take(build, self._made)
        return self._build(build.case, is_second=build.is_second, found=found)

    def _begin(self, now: Build, ahead: BuildsAhead) -> None:
        """Let begin what is planned of a model, which is what another engine needs by now, too."""
        for build in ahead.take_planned(now.case.model):
            if build != now:
                with suppress(InferError):  # the test that needs it tells why
                    graph = self._graphs.of(build.case)
                    ahead.add(Asked(build, graph, build_request(build.case)))

    def _build(
        self,
        case: Case,
        *,
        cache: str = "",
        graph: Graph | None = None,
        request: BuildRequest | None = None,
        is_second: bool = False,
        found: BuildResult | None = None,
    ) -> BuiltEngine:
        adapter = engines.find(case.engine)
        request = request or build_request(case)
        refuse_gpu_settings(adapter.options, case.engine, request)
        graph = graph or self._graphs.of(case)
        if not adapter.builds_files:
            return BuiltEngine(case.engine, graph, request, folder="")
        found = found or self._made(Asked(Build(case, is_second), graph, request), cache)
        self.tally.count(is_new=found.is_new, notice=found.notice)
        self.hold(case, found.folder)
        return BuiltEngine(case.engine, graph, request, found.folder, found.content)

    def _made(self, asked: Asked, cache: str = "") -> BuildResult:
        """Return where the engine's host has built it, or found it: in ``cache``, or its own."""
        case = asked.build.case
        times_kernels = isinstance(engines.find(case.engine), TimesKernels)
        alone = self._hosts.alone if times_kernels else self._hosts.shared
        client = EngineClient(alone(case.engine))
        cache = cache or client.host.place.cache
        if times_kernels:
            self._kept.once(("timings", case.engine, cache), lambda: self._start(case, cache))
        return asked.made_by(client, cache)

    def _start(self, case: Case, cache: str) -> None:
        """Let the builds of an engine start from the timings that are kept beside its baselines."""
        kept = self._timings(case)
        if kept:
            EngineClient(self._hosts.shared(case.engine)).start_timings(
                engine=case.engine,
                device=case.device,
                cache=cache,
                kept=kept,
                doing=f"take the kept timings for {case.id}",
            )
