"""An engine that wraps a real one and lies, crashes, hangs or dawdles on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pytest_infer.case import OptionValue, Precision
from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import (
    LacksOperators,
    LimitsPrecisions,
    Missing,
    ShowsBound,
    TakesShapes,
)
from pytest_infer.testing.faults import FeedFault, MemoryFault, OutputFault, ShapeFault
from pytest_infer.testing.graph_faults import GraphFault
from pytest_infer.testing.process_faults import ProcessFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Engine, Evidence, Runner
    from pytest_infer.engines.setting import EngineOption
    from pytest_infer.graphs.graph import Graph, GraphRequest

Stage: TypeAlias = Literal["build", "open", "infer"]


@dataclass(frozen=True)
class FakeEngine:
    """An engine like ``inner``, with faults; register it with `pytest_infer.register`."""

    name: str
    inner: str = "eager"
    outputs: OutputFault | None = None
    """Changes what the inner engine returns."""
    feeds: FeedFault | None = None
    """Changes what the inner engine is fed."""
    shapes: ShapeFault | None = None
    """Changes what it returns, by what it was fed."""
    memory: MemoryFault | None = None
    """Makes such a fault for each runner, which may remember its calls."""
    graph: GraphFault | None = None
    """Edits the ONNX graph that the inner engine is built from."""
    process: ProcessFault | None = None
    """Is called at ``stage``, in the engine's host."""
    stage: Stage = "infer"
    timed: OutputFault | None = None
    """Changes what a bound call puts out, and nothing else."""
    is_idle: bool = False
    """A bound call does nothing."""
    is_blind: bool = False
    """It cannot show what a bound call puts out."""
    delay_s: float = 0.0
    """Is added to every timed call."""
    repeats: int = 1
    """Calls of the inner engine per timed call: a slowdown that a busy machine keeps."""
    runs_as: Precision | None = None
    """The precision that really runs, whatever was asked for."""
    runs_on: str | None = None
    """The device that it really runs on."""
    built_from: Mapping[str, Any] = field(default_factory=dict)
    """The fields of its `GraphRequest` that are not what the inner engine wants."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """Return the inner engine's libraries."""
        return self._inner.libraries

    @property
    def precisions(self) -> Mapping[str, tuple[Precision, ...]]:
        """Return the inner engine's precisions."""
        return self._inner.precisions

    @property
    def options(self) -> Mapping[str, EngineOption]:
        """Return the inner engine's settings."""
        return self._inner.options

    @property
    def builds_files(self) -> bool:
        """Return whether the inner engine builds files, or a fault waits in the build."""
        return self._inner.builds_files or self.stage == "build"

    def missing(self, device: str) -> Missing | None:
        """Return why the inner engine cannot run."""
        return self._inner.missing(self.runs_on or device)

    def lack(self, precision: Precision, device: str) -> Missing | None:
        """Return why the inner engine cannot run ``precision``."""
        inner = self._inner
        return inner.lack(precision, device) if isinstance(inner, LimitsPrecisions) else None

    @property
    def unknown_domains(self) -> tuple[str, ...]:
        """Return what the inner engine has no operators of."""
        inner = self._inner
        return inner.unknown_domains if isinstance(inner, LacksOperators) else ()

    def profile_options(
        self, options: Mapping[str, OptionValue]
    ) -> Mapping[str, OptionValue] | Missing:
        """Return the inner engine's settings for every shape."""
        inner = self._inner
        if isinstance(inner, TakesShapes):
            return inner.profile_options(options)
        return Missing(f"{self.inner} builds for one shape", "choose another inner engine")

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return what the inner engine takes for what really runs."""
        return replace(self._inner.graph_request(self._really(request)), **self.built_from)

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Build the inner engine."""
        self._strike("build")
        with TemporaryDirectory() as place:
            built_from = graph if self.graph is None else self._edited(graph, Path(place))
            return self._inner.build(built_from, self._really(request), folder)

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[_FakeRunner]:
        """Open the inner engine."""
        self._strike("open")
        with self._inner.open(replace(built, request=self._really(built.request))) as runner:
            kind = _ShowingRunner if isinstance(runner, ShowsBound) else _FakeRunner
            yield (_FakeRunner if self.is_blind else kind)(self, runner)

    def _edited(self, graph: Graph, folder: Path) -> Graph:
        import onnx

        model = onnx.load(graph.file)
        if self.graph is not None:
            self.graph(model)
        onnx.save(model, folder / "faulty.onnx")
        return replace(graph, file=str(folder / "faulty.onnx"))

    @property
    def _inner(self) -> Engine:
        return engines.find(self.inner)

    def _really(self, request: BuildRequest) -> BuildRequest:
        return replace(
            request,
            precision=self.runs_as or request.precision,
            device=self.runs_on or request.device,
        )

    def _strike(self, stage: Stage) -> None:
        if self.process and self.stage == stage:
            self.process()


class _FakeRunner:
    def __init__(self, fake: FakeEngine, inner: Runner) -> None:
        self._fake = fake
        self._inner = inner
        self._memory = fake.memory() if fake.memory else None
        self._bound: Arrays = {}

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        self._fake._strike("infer")  # noqa: SLF001 - the two are one adapter
        return self._faulty(feeds, self._inner.infer(self._really_fed(feeds)))

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        call = self._inner.bind(self._really_fed(feeds))
        self._bound = feeds

        def slow() -> object:
            sleep(self._fake.delay_s)
            for _ in range(self._fake.repeats - 1):
                call()
            return None if self._fake.is_idle else call()

        return slow

    def evidence(self) -> Evidence:
        return self._inner.evidence()

    def _really_fed(self, feeds: Arrays) -> Arrays:
        return self._fake.feeds(feeds) if self._fake.feeds else feeds

    def _faulty(self, feeds: Arrays, outputs: dict[str, Array]) -> dict[str, Array]:
        outputs = self._fake.outputs(outputs) if self._fake.outputs else outputs
        for fault in (self._fake.shapes, self._memory):
            outputs = fault(feeds, outputs) if fault else outputs
        return outputs


class _ShowingRunner(_FakeRunner):
    def bound_outputs(self, call: Callable[[], object]) -> dict[str, Array]:
        if not isinstance(self._inner, ShowsBound):
            raise TypeError("the inner engine does not show what bound calls put out")
        outputs = self._inner.bound_outputs(call)
        outputs = self._faulty(self._bound, outputs) if outputs else {}
        return self._fake.timed(outputs) if self._fake.timed else outputs
