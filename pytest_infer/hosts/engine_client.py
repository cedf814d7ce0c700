"""The caller's side of `EngineOperations`: what a host can be asked about engines, with types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.engines.protocol import Evidence, Missing
from pytest_infer.errors import BuildError, HostError, LoadError, RunError, TimingError
from pytest_infer.graphs.graph import GraphRequest
from pytest_infer.graphs.ran_layer import RanLayer
from pytest_infer.hosts.memory_layout import CONTIGUOUS
from pytest_infer.hosts.results import (
    BlockResult,
    BuildResult,
    LookResult,
    ProfileResult,
    TimingsResult,
)
from pytest_infer.hosts.wire import as_type
from pytest_infer.judges.burst import Burst
from pytest_infer.timing.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import Precision
    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
    from pytest_infer.errors import InferError
    from pytest_infer.graphs.graph import Graph
    from pytest_infer.hosts.host import Host


class EngineClient:
    """Asks one host; each method is the operation of its name.

    ``doing`` completes "cannot ..." in the error that is raised if the host dies or hangs.
    """

    def __init__(self, host: Host) -> None:
        self.host = host

    def missing(self, *, engine: str, device: str, doing: str) -> Missing | None:
        """Return why ``engine`` cannot run on ``device`` there."""
        found = self.host.call(
            "engine.missing", error=HostError, doing=doing, engine=engine, device=device
        )
        return Missing(**found) if found else None

    def import_libraries(self, *, engine: str, doing: str) -> list[str]:
        """Import what opening an engine imports; return the names of modules that failed."""
        failed: list[str] = self.host.call(
            "engine.import_libraries", error=HostError, doing=doing, engine=engine
        )
        return failed

    def runtime(self, *, engine: str, doing: str) -> dict[str, Any]:
        """Return the versions that an engine's built engines depend on."""
        found: dict[str, Any] = self.host.call(
            "engine.runtime", error=HostError, doing=doing, engine=engine
        )
        return found

    def adapter(self, *, engine: str, doing: str) -> list[list[str]]:
        """Return name and SHA-256 of each file that an engine's adapter consists of."""
        found: list[list[str]] = self.host.call(
            "engine.adapter", error=HostError, doing=doing, engine=engine
        )
        return found

    def graph_request(self, *, engine: str, request: BuildRequest, doing: str) -> GraphRequest:
        """Return what ``engine`` wants to be built from."""
        found = self.host.call(
            "engine.graph_request", error=HostError, doing=doing, engine=engine, request=request
        )
        return as_type(found, GraphRequest)

    def lack(self, *, engine: str, precision: Precision, device: str, doing: str) -> Missing | None:
        """Return why ``precision`` cannot run on ``device`` there, as far as is known."""
        found = self.host.call(
            "engine.lack",
            error=HostError,
            doing=doing,
            engine=engine,
            precision=precision,
            device=device,
        )
        return Missing(**found) if found else None

    def build(
        self,
        *,
        engine: str,
        graph: Graph,
        request: BuildRequest,
        cache: str,
        is_second: bool = False,
        doing: str,
    ) -> BuildResult:
        """Build, unless the folder ``cache`` has it; ``is_second``: another build of the same."""
        found = self.host.call(
            "engine.build",
            error=BuildError,
            doing=doing,
            engine=engine,
            graph=graph,
            request=request,
            cache=cache,
            is_second=is_second,
        )
        return as_type(found, BuildResult)

    def start_timings(
        self, *, engine: str, device: str, cache: str, kept: dict[str, bytes], doing: str
    ) -> None:
        """Let builds in the folder ``cache`` start from those of ``kept`` for its library."""
        self.host.call(
            "engine.start_timings",
            error=BuildError,
            doing=doing,
            engine=engine,
            device=device,
            cache=cache,
            kept=kept,
        )

    def timings(self, *, engine: str, device: str, cache: str, doing: str) -> TimingsResult:
        """Return the timings of the builds in the folder ``cache``."""
        found = self.host.call(
            "engine.timings",
            error=BuildError,
            doing=doing,
            engine=engine,
            device=device,
            cache=cache,
        )
        return TimingsResult(**found)

    def merge_timings(
        self, *, engine: str, device: str, first: bytes, second: bytes, doing: str
    ) -> bytes:
        """Return all timings of both, of the first where both have a kernel."""
        merged: bytes = self.host.call(
            "engine.merge_timings",
            error=BuildError,
            doing=doing,
            engine=engine,
            device=device,
            first=first,
            second=second,
        )
        return merged

    def open(self, *, built: BuiltEngine, doing: str) -> int:
        """Open a built engine; return the number of its runner."""
        number: int = self.host.call("engine.open", error=LoadError, doing=doing, built=built)
        return number

    def infer(
        self,
        *,
        runner: int,
        feeds: Arrays,
        layout: str = CONTIGUOUS,
        doing: str,
        error: type[InferError] = RunError,
    ) -> dict[str, Array]:
        """Return the named outputs of feeds that are arranged there."""
        outputs: dict[str, Array] = self.host.call(
            "engine.infer", error=error, doing=doing, runner=runner, feeds=feeds, layout=layout
        )
        return outputs

    def burst(
        self, *, runner: int, feeds: Sequence[Arrays], first: Sequence[Arrays], doing: str
    ) -> Burst:
        """Return what many calls in a row give, beside the ``first`` answers to the same feeds."""
        found = self.host.call(
            "engine.burst",
            error=RunError,
            doing=doing,
            runner=runner,
            feeds=list(feeds),
            first=list(first),
        )
        return as_type(found, Burst)

    def evidence(self, *, runner: int, doing: str) -> Evidence:
        """Return what really ran."""
        return Evidence(
            **self.host.call("engine.evidence", error=RunError, doing=doing, runner=runner)
        )

    def layers(self, *, runner: int, doing: str) -> list[RanLayer]:
        """Return the layers of an opened engine; none if it does not show them."""
        found = self.host.call("engine.layers", error=RunError, doing=doing, runner=runner)
        return [as_type(each, RanLayer) for each in found]

    def profile(
        self, *, built: BuiltEngine, feeds: Arrays, warmup: int, calls: int, doing: str
    ) -> ProfileResult:
        """Return what each layer takes, by the library's own profiler."""
        found = self.host.call(
            "engine.profile",
            error=TimingError,
            doing=doing,
            built=built,
            feeds=feeds,
            warmup=warmup,
            calls=calls,
        )
        return as_type(found, ProfileResult)

    def bind(self, *, runner: int, feeds: Arrays, doing: str) -> None:
        """Make feeds resident on the device, for `time`."""
        self.host.call("engine.bind", error=TimingError, doing=doing, runner=runner, feeds=feeds)

    def look(self, *, runner: int, doing: str) -> LookResult:
        """Return what a bound call puts out, and what `infer` does; time nothing afterwards."""
        return LookResult(
            **self.host.call("engine.look", error=TimingError, doing=doing, runner=runner)
        )

    def time(
        self,
        *,
        runner: int,
        calls: int,
        cold_l2: bool = False,
        copies: bool = False,
        doing: str,
    ) -> dict[str, list[int]]:
        """Return the durations of ``calls`` calls in ns, by clock."""
        durations: dict[str, list[int]] = self.host.call(
            "engine.time",
            error=TimingError,
            doing=doing,
            runner=runner,
            calls=calls,
            cold_l2=cold_l2,
            copies=copies,
        )
        return durations

    def block(self, *, runner: int, calls: int, doing: str) -> BlockResult:
        """Return the durations of ``calls`` calls, and what disturbed them."""
        found = self.host.call(
            "engine.block", error=TimingError, doing=doing, runner=runner, calls=calls
        )
        return BlockResult(**found)

    def split(self, *, runner: int, feeds: Arrays, calls: int, doing: str) -> dict[str, list[int]]:
        """Return the durations of a call's parts in ns, by part."""
        durations: dict[str, list[int]] = self.host.call(
            "engine.split", error=TimingError, doing=doing, runner=runner, feeds=feeds, calls=calls
        )
        return durations

    def measure(self, *, arms: dict[str, int], rounds: int, doing: str) -> Measurement:
        """Return what bound runners of one device, by arm, take in turns."""
        found = self.host.call(
            "engine.measure", error=TimingError, doing=doing, arms=arms, rounds=rounds
        )
        return as_type(found, Measurement)

    def kept(self, *, cache: str, artefact: str, doing: str) -> str:
        """Return the folder of a built engine in ``cache``; empty if it is not there, or broken."""
        folder: str = self.host.call(
            "engine.kept", error=LoadError, doing=doing, cache=cache, artefact=artefact
        )
        return folder

    def resources(self, *, runner: int, doing: str) -> dict[str, float]:
        """Return what the engine takes besides time."""
        found: dict[str, float] = self.host.call(
            "engine.resources", error=TimingError, doing=doing, runner=runner
        )
        return found

    def close(self, *, runner: int, doing: str) -> None:
        """Close a runner and free its memory."""
        self.host.call("engine.close", error=RunError, doing=doing, runner=runner)
