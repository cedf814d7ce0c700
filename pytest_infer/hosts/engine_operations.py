"""What an engine host can be asked about engines: build, open, infer, time, close."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING, Any

from pytest_infer.arrays import Arrays
from pytest_infer.devices import fingerprint
from pytest_infer.devices.cpu_watch import CpuWatch
from pytest_infer.devices.device import Device
from pytest_infer.devices.gpu_watch import GpuWatch
from pytest_infer.engines import registry as engines
from pytest_infer.engines.feed_check import check_feeds
from pytest_infer.engines.kept_timings import join_timings
from pytest_infer.engines.protocol import (
    BuildRequest,
    BuiltEngine,
    LimitsPrecisions,
    Missing,
    ProfilesLayers,
    Runner,
    ShowsBound,
    ShowsLayers,
    TimesKernels,
    WrapsEngine,
)
from pytest_infer.errors import LoadError
from pytest_infer.graphs.graph import Graph
from pytest_infer.hosts.memory_layout import CONTIGUOUS, arranged
from pytest_infer.hosts.resources import BUILD_S, resources_of
from pytest_infer.hosts.results import (
    BlockResult,
    BuildResult,
    LookResult,
    ProfileResult,
    TimingsResult,
)
from pytest_infer.hosts.wire import as_type
from pytest_infer.judges.burst import run_burst
from pytest_infer.models.reached_code import reached_code
from pytest_infer.models.source import source_file
from pytest_infer.storage.cache import Cache, Entry, read_entry
from pytest_infer.storage.digest import digest_of
from pytest_infer.storage.private_folder import private_folder
from pytest_infer.timing.clock import clock_for, time_on_cpu, time_with_cpu
from pytest_infer.timing.interleaved import measure
from pytest_infer.timing.measurement import ENGINE
from pytest_infer.timing.samples import WAITED
from pytest_infer.timing.transfers import round_trip, transfers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.arrays import Array
    from pytest_infer.case import Precision
    from pytest_infer.engines.protocol import Evidence
    from pytest_infer.graphs.graph import GraphRequest
    from pytest_infer.graphs.ran_layer import RanLayer
    from pytest_infer.judges.burst import Burst
    from pytest_infer.timing.measurement import Measurement
    from pytest_infer.timing.rounds import Watch


KIND = "engines"
"""What built engines are in the cache."""

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


class EngineOperations:
    """Each public method is one operation; its arguments are builtin types and arrays."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._opened: dict[int, _Opened] = {}
        self._adapters: dict[str, list[list[str]]] = {}
        self._watch = CpuWatch()

    def missing(self, engine: str, device: str) -> Missing | None:
        """Return why ``engine`` cannot run on ``device`` in this host."""
        return engines.find(engine).missing(device)

    def runtime(self, engine: str) -> dict[str, Any]:
        """Return the versions that an engine's built engines depend on."""
        return fingerprint.runtime_fingerprint(engines.find(engine).libraries)

    def adapter(self, engine: str) -> list[list[str]]:
        """Return name and SHA-256 of each file that an engine's adapter consists of.

        Its libraries are known by their versions, and not among them.
        """
        if engine not in self._adapters:
            code = reached_code(_adapter_files(engine))
            self._adapters[engine] = code.as_key()["files"]
        return self._adapters[engine]

    def graph_request(self, engine: str, request: dict[str, Any]) -> GraphRequest:
        """Return what ``engine`` wants to be built from."""
        return engines.find(engine).graph_request(as_type(request, BuildRequest))

    def lack(self, engine: str, precision: Precision, device: str) -> Missing | None:
        """Return why ``precision`` cannot run on ``device`` in this host, as far as is known."""
        adapter = engines.find(engine)
        return adapter.lack(precision, device) if isinstance(adapter, LimitsPrecisions) else None

    def build(
        self,
        engine: str,
        graph: dict[str, Any],
        request: dict[str, Any],
        cache: str,
        is_second: bool = False,
    ) -> BuildResult:
        """Build, unless the folder ``cache`` has it; return the folder, and how it came there.

        ``is_second`` asks for another build of the same, kept beside the first one.
        """
        adapter = engines.find(engine)
        origin, wanted = as_type(graph, Graph), as_type(request, BuildRequest)
        key = {
            "engine": engine,
            "adapter": self.adapter(engine),
            "graph": origin.digest,
            "dims": {name: asdict(dim) for name, dim in origin.spec.dims.items()},
            "precision": wanted.precision,
            "shapes": wanted.shapes,
            "options": {
                name: value
                for name, value in wanted.options.items()
                if adapter.options[name].affects_build
            },
            "runtime": fingerprint.runtime_fingerprint(adapter.libraries),
            "device": fingerprint.device_fingerprint(wanted.device),
            **({"build": "second"} if is_second else {}),
        }

        def make(folder: Path) -> Mapping[str, Any]:
            began = perf_counter()
            facts = adapter.build(origin, wanted, folder)
            return {**facts, BUILD_S: perf_counter() - began}

        entry = Cache(Path(cache)).entry(KIND, key, make)
        content = digest_of(dict(entry.digests))
        return BuildResult(str(entry.folder), entry.is_new, entry.notice, content)

    def start_timings(self, engine: str, device: str, cache: str, kept: dict[str, bytes]) -> None:
        """Let builds in the folder ``cache`` start from the file of ``kept`` for this library."""
        adapter = _times_kernels(engine)
        if timings := kept.get(adapter.timings_name()):
            place = private_folder(Path(cache, KIND), Path(cache))
            merge = partial(adapter.merge_timings, device=device)
            join_timings(adapter.timings_file(place, device), timings, merge)

    def timings(self, engine: str, device: str, cache: str) -> TimingsResult:
        """Return the timings of the builds in the folder ``cache``, nothing before the first."""
        adapter = _times_kernels(engine)
        path = adapter.timings_file(Path(cache, KIND), device)
        content = path.read_bytes() if path.is_file() else b""
        return TimingsResult(adapter.timings_name(), content)

    def merge_timings(self, engine: str, device: str, first: bytes, second: bytes) -> bytes:
        """Return all timings of both, of the first where both have a kernel."""
        return _times_kernels(engine).merge_timings(first, second, device)

    def open(self, built: dict[str, Any]) -> int:
        """Open a built engine; return the number by which it is called from now on.

        Raise `LoadError` for one whose files are not those that were built, before it is loaded.
        """
        engine = as_type(built, BuiltEngine)
        _check_whole(engine)
        stack = ExitStack()
        began = perf_counter()
        runner = stack.enter_context(engines.find(engine.engine).open(engine))
        number = next(self._numbers)
        self._opened[number] = _Opened(runner, engine, perf_counter() - began, stack.close)
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

    def kept(self, cache: str, artefact: str) -> str:
        """Return the folder of a built engine in ``cache``; empty if it is not there, or broken."""
        found = read_entry(Path(cache, KIND, artefact))
        return str(found.folder) if isinstance(found, Entry) else ""

    def resources(self, runner: int) -> dict[str, float]:
        """Return what the engine takes besides time, as far as this process can know it."""
        opened = self._opened[runner]
        return resources_of(opened.built, opened.load_s)

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


def _times_kernels(engine: str) -> TimesKernels:
    adapter = engines.find(engine)
    if not isinstance(adapter, TimesKernels):
        raise TypeError(f"builds of {engine} time no kernels")
    return adapter


def _adapter_files(engine: str) -> list[Path]:
    """Return the file of an engine's adapter, and of the one that it wraps."""
    adapter = engines.find(engine)
    inner = _adapter_files(adapter.inner) if isinstance(adapter, WrapsEngine) else []
    return [source_file(engines.source(engine)), *inner]


def _check_whole(built: BuiltEngine) -> None:
    """Raise `LoadError` unless a built engine's folder holds what its manifest says."""
    found = read_entry(Path(built.folder)) if built.folder else None
    if isinstance(found, str):
        raise LoadError(
            f"cannot open {built.engine}'s engine of {built.graph.spec.name}",
            why=found or f"{built.folder} has gone",
            mend="run again: what is damaged or gone is built again",
        )
