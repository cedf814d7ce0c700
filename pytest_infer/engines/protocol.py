"""What every engine adapter is: its Protocols, and the plain types that pass between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from pytest_infer.case import OptionValue, Precision
from pytest_infer.graphs.graph import Graph, GraphRequest

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.engines.setting import EngineOption
    from pytest_infer.graphs.ran_layer import RanLayer


@dataclass(frozen=True)
class BuildRequest:
    """What a built engine must be able to do."""

    precision: Precision
    device: str
    shapes: Mapping[str, tuple[int, ...]]
    """Each input's shape, batch first."""
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    """Every setting of the engine, by name."""


@dataclass(frozen=True)
class BuiltEngine:
    """A built engine: what it was built from, as what, and the folder with its files."""

    engine: str
    graph: Graph
    request: BuildRequest
    folder: str
    content: str = ""
    """The digest of those files; empty if there are none."""

    def path(self, name: str) -> Path:
        """Return the path of one of the built engine's files."""
        return Path(self.folder, name)


@dataclass(frozen=True)
class Evidence:
    """What really ran, read back from the engine, never copied from the request."""

    precision: str
    device: str
    precision_share: float = 1.0
    """How much of the computing nodes or layers ran in that precision, 0 to 1."""
    device_share: float = 1.0
    """How much of them ran on that device, 0 to 1."""
    proven: Mapping[str, OptionValue] = field(default_factory=dict)
    """The engine's settings that can be seen from outside, with the values that are in force."""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Missing:
    """Why an engine cannot run on a device here, and how to mend it."""

    why: str
    mend: str


@dataclass(frozen=True)
class LayerTime:
    """One layer of a built engine, and how long it took in each of some calls."""

    name: str
    operator: str
    durations_ns: tuple[int, ...]
    place: str = ""
    precision: str = ""
    covers: tuple[str, ...] = ()
    """Names of the exported graph's nodes, or of their outputs, that were fused into it."""


@dataclass(frozen=True)
class LayerTimes:
    """What a library's own profiler has measured, layer by layer."""

    by: str
    """What measured it, in words."""
    layers: tuple[LayerTime, ...]


class Runner(Protocol):
    """An opened built engine."""

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        """Return the named outputs of host arrays as host arrays; bfloat16 comes as float32."""
        ...

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return a call that runs feeds resident on the device; it may be asynchronous.

        On a GPU it enqueues on torch's current stream, on which the clock's events are.
        """
        ...

    def evidence(self) -> Evidence:
        """Return which precision and placement really ran."""
        ...


@runtime_checkable
class ShowsBound(Protocol):
    """What a `Runner` has besides if it can show what its bound calls put out."""

    def bound_outputs(self, call: Callable[[], object]) -> dict[str, Array]:
        """Run ``call``, which the latest `bind` returned, and return what it puts out.

        As host arrays, like `infer`. Buffers that the call writes are spoilt before, so that a call
        which does nothing is seen; there are no outputs of a call that should return them and
        returns None. ``call`` may be wrapped, and returns what the wrapped one does.
        """
        ...


@runtime_checkable
class ShowsLayers(Protocol):
    """What a `Runner` has besides if it can show the layers of its engine, for a picture."""

    def layers(self) -> Sequence[RanLayer]:
        """Return the layers in the order in which they run; none if this version hides them."""
        ...


@runtime_checkable
class ProfilesLayers(Protocol):
    """What an `Engine` has besides if its library can time the layers one by one.

    A profiler slows down what it looks at: it is never on in a measurement.
    """

    def profile(
        self, built: BuiltEngine, feeds: Arrays, *, warmup: int, calls: int
    ) -> LayerTimes | Missing:
        """Open a built engine with its profiler, and return what each layer took in ``calls``.

        ``warmup`` calls before them are left out. Raise `TimingError`; return why there is nothing
        to see on this device or in this version.
        """
        ...


@runtime_checkable
class LimitsPrecisions(Protocol):
    """What an `Engine` has besides if its version or the hardware decides on precisions."""

    def lack(self, precision: Precision, device: str) -> Missing | None:
        """Return why ``precision`` cannot run on ``device`` here, without importing anything."""
        ...


@runtime_checkable
class LacksOperators(Protocol):
    """What an `Engine` has besides if it knows that it reads ONNX without some operators."""

    @property
    def unknown_domains(self) -> tuple[str, ...]:
        """Return the domains of ONNX operators of which the library has none."""
        ...


@runtime_checkable
class TracesPython(Protocol):
    """What an `Engine` has besides if it traces a module's Python code, which a script has not."""

    @property
    def traces_python(self) -> bool:
        """Return whether it does."""
        ...


@runtime_checkable
class TakesShapes(Protocol):
    """What an `Engine` has besides if one built engine takes every shape of a profile."""

    def profile_options(
        self, options: Mapping[str, OptionValue]
    ) -> Mapping[str, OptionValue] | Missing:
        """Return the settings with which it does, made of ``options``, or why these exclude it.

        Built with them from a spec's graph, it takes all that the spec's dimensions allow.
        """
        ...


@runtime_checkable
class TimesKernels(Protocol):
    """What an `Engine` has besides if its builder times kernels and chooses by that.

    Two builds of one thing then run differently fast. The timings can be kept: builds that start
    from the same ones choose alike.
    """

    def timings_file(self, folder: Path, device: str) -> Path:
        """Return where builds in ``folder`` of the cache keep their timings."""
        ...

    def timings_name(self) -> str:
        """Return the name of that file beside the baselines, of the library's version."""
        ...

    def merge_timings(self, first: bytes, second: bytes, device: str) -> bytes:
        """Return all of both, of the first where both have a kernel; either may be empty.

        Raise `BuildError` for what this library does not take, in this version or on this device.
        """
        ...


@runtime_checkable
class BuildsSlowly(Protocol):
    """What an `Engine` has besides if its builds are begun ahead of the tests that need them.

    That is for builds on the CPU of many seconds on one core, which time nothing by default: other
    tests run beside them.
    """

    builds_slowly: Literal[True]


@runtime_checkable
class ImportsLate(Protocol):
    """What an `Engine` has besides if opening one imports a library that takes its time.

    A host imports it before it is needed, and counts what that takes as a part of ``load_s``.
    """

    @property
    def modules(self) -> tuple[str, ...]:
        """Return what is imported, by the names of modules."""
        ...


@runtime_checkable
class TunesWhenOpened(Protocol):
    """What an `Engine` has besides if opening one may choose kernels by their times on a GPU.

    Engines that are timed together are opened at once, but not beside one of these.
    """

    def tunes_when_opened(self, request: BuildRequest) -> bool:
        """Return whether that is so for what was built for ``request``."""
        ...


@runtime_checkable
class WrapsEngine(Protocol):
    """What an `Engine` has besides if it runs another one: its key holds the other's adapter."""

    @property
    def inner(self) -> str:
        """Return the name of the other engine."""
        ...


class Engine(Protocol):
    """One inference library, wrapped by one adapter file."""

    @property
    def name(self) -> str:
        """Return the name on the command line."""
        ...

    @property
    def libraries(self) -> tuple[str, ...]:
        """Return the distributions whose versions belong to a built engine's identity."""
        ...

    @property
    def precisions(self) -> Mapping[str, tuple[Precision, ...]]:
        """Return the precisions per kind of device (``cpu``, ``cuda``)."""
        ...

    @property
    def options(self) -> Mapping[str, EngineOption]:
        """Return the settings that a user may change, by name."""
        ...

    @property
    def builds_files(self) -> bool:
        """Return whether `build` writes anything; if not, there is nothing to cache."""
        ...

    def missing(self, device: str) -> Missing | None:
        """Return why this engine cannot run on ``device`` here, without importing anything."""
        ...

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return what `build` takes for ``request``, without importing anything."""
        ...

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Write the built engine's files into an empty folder; return facts for its manifest.

        Raise `BuildError` if the library cannot build it as asked.
        """
        ...

    def open(self, built: BuiltEngine) -> AbstractContextManager[Runner]:
        """Open a built engine; leaving the context frees its memory. Raise `LoadError`."""
        ...
