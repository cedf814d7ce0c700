"""What an engine host can be asked about engines: to build, open, infer, time and close them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING, Any

from pytest_infer.arrays import Arrays
from pytest_infer.devices.cpu_watch import CpuWatch
from pytest_infer.devices.device import Device
from pytest_infer.devices.gpu_watch import GpuWatch
from pytest_infer.engines import registry as engines
from pytest_infer.engines.feed_check import check_feeds
from pytest_infer.engines.protocol import (
    BuiltEngine,
    Missing,
    ProfilesLayers,
    Runner,
    ShowsBound,
    ShowsLayers,
)
from pytest_infer.errors import LoadError
from pytest_infer.hosts.build_operations import BuildOperations
from pytest_infer.hosts.heap import leaves_memory
from pytest_infer.hosts.memory_layout import CONTIGUOUS, arranged
from pytest_infer.hosts.resources import resources_of
from pytest_infer.hosts.results import (
    BlockResult,
    LookResult,
    ProfileResult,
)
from pytest_infer.hosts.wire import as_type
from pytest_infer.judges.burst import run_burst
from pytest_infer.storage.cache import read_entry
from pytest_infer.timing.clock import clock_for, time_on_cpu, time_with_cpu
from pytest_infer.timing.interleaved import measure
from pytest_infer.timing.measurement import ENGINE
from pytest_infer.timing.samples import WAITED
from pytest_infer.timing.transfers import round_trip, transfers

if TYPE_CHECKING:
    from pytest_infer.arrays import Array
    from pytest_infer.engines.protocol import Evidence
    from pytest_infer.graphs.ran_layer import RanLayer
    from pytest_infer.judges.burst import Burst
    from pytest_infer.timing.measurement import Measurement
    from pytest_infer.timing.rounds import Watch


NO_PROFILER = "profile ort on the CPU, openvino or trt, whose libraries have one"


@dataclass
class _Opened:
    runner: Runner
    built: BuiltEngine
    load_s: float
    close: Callable[[], object]
    call: Callable[[], object] | None = None
    feeds: Arrays = field(default_factory=dict)
    """Those that are bound."""
    copied: Callable[[], object] | None = None
    """The bound call between copies of pinned memory, once it was asked for."""

    @cached_property
    def watch(self) -> Watch:
        """Return what sees whether something else used the device."""
        device = self.built.request.device
        return GpuWatch(device) if Device.named(device).is_gpu else CpuWatch()

    def bound(self) -> Callable[[], object]:
        if self.call is None:
            raise RuntimeError("bind feeds before timing")
        return self.call


class EngineOperations(BuildOperations):
    """Each public method is one operation; its arguments are builtin types and arrays."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count(1)
        self._opened: dict[int, _Opened] = {}
        self._watch = CpuWatch()

    def open(self, built: dict[str, Any]) -> int:
        """Open a built engine; return the number by which it is called from now on.

        Raise `LoadError` for one whose files are not those that were built, before it is loaded.
        """
        engine = as_type(built, BuiltEngine)
        _check_whole(engine)
        self.import_libraries(engine.engine)
        stack = ExitStack()
        began = perf_counter()
        runner = stack.enter_context(engines.find(engine.engine).open(engine))
        number = next(self._numbers)
        load_s = perf_counter() - began + self._import_s.pop(engine.engine, 0.0)
        self._opened[number] = _Opened(runner, engine, load_s, stack.close)
        return number

    def infer(self, runner: int, feeds: Arrays, layout: str = CONTIGUOUS) -> dict[str, Array]:
        """Return the named outputs; feeds are arranged here, since strides do not travel."""
        opened = self._checked(runner, feeds)
        return opened.runner.infer(arranged(feeds, layout))

    def burst(self, runner: int, feeds: list[Arrays], first: list[Arrays]) -> Burst:
        """Return what many calls in a row give, beside the ``first`` answers to the same feeds."""
        for each in feeds:
            opened = self._checked(runner, each)
        return run_burst(opened.runner.infer, feeds, first)

    def evidence(self, runner: int) -> Evidence:
        """Return what really ran."""
        return self._opened[runner].runner.evidence()

    def layers(self, runner: int) -> list[RanLayer]:
        """Return the layers of an opened engine; none if it does not show them."""
        found = self._opened[runner].runner
        return list(found.layers()) if isinstance(found, ShowsLayers) else []

    def profile(
        self, built: dict[str, Any], feeds: Arrays, warmup: int, calls: int
    ) -> ProfileResult:
        """Return what each layer takes, by the library's own profiler, in an opening of its own."""
        engine = as_type(built, BuiltEngine)
        adapter = engines.find(engine.engine)
        if not isinstance(adapter, ProfilesLayers):
            return ProfileResult(lack=Missing(f"{engine.engine} has no profiler here", NO_PROFILER))
        _check_whole(engine)
        check_feeds(engine.graph.spec, engine.request, feeds)
        found = adapter.profile(engine, feeds, warmup=warmup, calls=calls)
        if isinstance(found, Missing):
            return ProfileResult(lack=found)
        return ProfileResult(found)

    def bind(self, runner: int, feeds: Arrays) -> None:
        """Make feeds resident on the device, for `time`."""
        opened = self._checked(runner, feeds)
        opened.call, opened.feeds, opened.copied = opened.runner.bind(feeds), feeds, None

    def look(self, runner: int) -> LookResult:
        """Return what a bound call puts out, None if that cannot be shown, and what `infer` does.

        Nothing may be timed afterwards: a runner may have one set of buffers.
        """
        opened = self._opened[runner]
        shows = opened.runner if isinstance(opened.runner, ShowsBound) else None
        timed = shows.bound_outputs(opened.bound()) if shows else None
        return LookResult(timed, opened.runner.infer(opened.feeds))

    def time(
        self, runner: int, calls: int, *, cold_l2: bool = False, copies: bool = False
    ) -> dict[str, list[int]]:
        """Return the durations of ``calls`` calls in ns, by clock.

        On a CPU ``waited`` has one number more: for how long threads of this process waited for a
        core meanwhile, in ns. With ``copies`` a call on a GPU has the copies to it and back, and
        is read by the host's clock.
        """
        opened = self._opened[runner]
        if copies and Device.named(opened.built.request.device).is_gpu:
            return time_on_cpu(_with_copies(opened), calls)
        clock = clock_for(opened.built.request.device, cold_l2=cold_l2)
        if Device.named(opened.built.request.device).is_gpu:
            return clock(opened.bound(), calls)
        mark = self._watch.mark()
        durations = clock(opened.bound(), calls)
        return {**durations, WAITED: [self._watch.waited_ns(mark)]}

    def block(self, runner: int, calls: int) -> BlockResult:
        """Return the durations of ``calls`` calls, and what disturbed them.

        On a CPU also by the clock of the process' CPU time.
        """
        opened = self._opened[runner]
        watch, is_gpu = opened.watch, Device.named(opened.built.request.device).is_gpu
        mark, began_ns = watch.mark(), perf_counter_ns()
        durations = self.time(runner, calls) if is_gpu else time_with_cpu(opened.bound(), calls)
        disturbance = watch.disturbance(mark, perf_counter_ns() - began_ns)
        waited_ns = watch.waited_ns(mark) if isinstance(watch, CpuWatch) else 0
        return BlockResult(durations, disturbance or "", waited_ns)

    def split(self, runner: int, feeds: Arrays, calls: int) -> dict[str, list[int]]:
        """Return the durations of a call's parts in ns, by part, as `split_from_durations` reads.

        On a CPU there is but one part, the call on bound feeds.
        """
        opened = self._opened[runner]
        parts = self.time(runner, calls)
        parts.pop(WAITED, None)
        if not Device.named(opened.built.request.device).is_gpu:
            return parts
        del parts["monotonic"]
        infer = partial(opened.runner.infer, feeds)
        copies = transfers(feeds, infer(), opened.built.request.device)
        parts["round_trip"] = time_on_cpu(infer, calls)["monotonic"]
        clock = clock_for(opened.built.request.device)
        for name, copy in copies.items():
            copy()
            parts[name] = clock(copy, calls)["cuda-event"]
        return parts

    def measure(self, arms: dict[str, int], rounds: int) -> Measurement:
        """Return what bound runners of one device, by arm, take in turns."""
        opened = {name: self._opened[number] for name, number in arms.items()}
        device = opened[ENGINE].built.request.device
        calls = {name: each.bound() for name, each in opened.items()}
        return measure(calls, device, rounds=rounds)

    def resources(self, runner: int) -> dict[str, float]:
        """Return what the engine takes besides time, as far as this process can know it."""
        opened = self._opened[runner]
        return resources_of(opened.built, opened.load_s)

    @leaves_memory
    def close(self, runner: int) -> None:
        """Close a runner and free its memory."""
        self._opened.pop(runner).close()

    def _checked(self, runner: int, feeds: Arrays) -> _Opened:
        """Return an opened engine; raise `RunError` for feeds that it cannot have been built for.

        What a library makes of such feeds is its own affair: an error, a crash or garbage.
        """
        opened = self._opened[runner]
        check_feeds(opened.built.graph.spec, opened.built.request, feeds)
        return opened


def _with_copies(opened: _Opened) -> Callable[[], object]:
    """Return the bound call of a GPU between its copies, made once and called once."""
    if opened.copied is None:
        device = opened.built.request.device
        outputs = opened.runner.infer(opened.feeds)
        opened.call = opened.runner.bind(opened.feeds)  # `infer` may have moved the buffers
        opened.copied = round_trip(opened.bound(), transfers(opened.feeds, outputs, device), device)
        opened.copied()
    return opened.copied


def _check_whole(built: BuiltEngine) -> None:
    """Raise `LoadError` unless a built engine's folder holds what its manifest says."""
    found = read_entry(Path(built.folder)) if built.folder else None
    if isinstance(found, str):
        raise LoadError(
            f"cannot open {built.engine}'s engine of {built.graph.spec.name}",
            why=found or f"{built.folder} has gone",
            mend="run again: what is damaged or gone is built again",
        )
