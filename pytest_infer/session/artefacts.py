"""What is made once and kept: weights, feeds, graphs, built engines and references."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Missing
from pytest_infer.engines.requests import (
    build_request,
    profile_request,
    refuse_gpu_settings,
    shape_request,
)
from pytest_infer.errors import RunError
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.hosts.host_client import HostClient
from pytest_infer.hosts.model_client import ModelClient
from pytest_infer.hosts.pool import EAGER
from pytest_infer.models import registry as models
from pytest_infer.session.graph_maker import Graphs
from pytest_infer.session.module_graphs import ModuleGraphs, with_range
from pytest_infer.session.opened_eager import OpenedEager
from pytest_infer.storage.digest import digest_of, digest_of_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import Case, Precision
    from pytest_infer.config import InferConfig
    from pytest_infer.graphs.facts import GraphFacts
    from pytest_infer.graphs.graph import Graph, GraphRequest
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.models.spec import ModelSpec
    from pytest_infer.storage.cache import Cache

T = TypeVar("T")


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


class Artefacts:
    """Makes each artefact in the host it belongs to, unless the cache has it."""

    def __init__(self, config: InferConfig, cache: Cache, hosts: HostPool) -> None:
        self._config = config
        self._cache = cache
        self._hosts = hosts
        self.models = ModelClient(hosts.models)
        self.modules = ModuleGraphs(config, cache, self.models)
        self._graphs = Graphs(config, cache, self.models)
        self._kept: dict[Any, Any] = {}
        self._folders: list[TemporaryDirectory[str]] = []
        self._eager = OpenedEager(hosts)
        self._latest_feeds: tuple[tuple[str, int, int], Arrays] | None = None
        self.engines = Tally()

    def device(self, engine: str, device: str) -> dict[str, Any]:
        """Return the fingerprint of a device of the machine on which an engine's host runs."""
        return self._once(
            ("device", engine, device),
            lambda: HostClient(self._hosts.shared(engine)).device(
                device=device, doing=f"identify {device}"
            ),
        )

    def runtime(self, engine: str) -> dict[str, Any]:
        """Return the versions of an engine's libraries in its host."""
        return self._once(
            ("runtime", engine),
            lambda: self._client(engine).runtime(engine=engine, doing=f"identify {engine}"),
        )

    def _adapter(self, engine: str) -> list[list[str]]:
        """Return the code of an engine's adapter in its host."""
        return self._once(
            ("adapter", engine),
            lambda: self._client(engine).adapter(engine=engine, doing=f"identify {engine}"),
        )

    def labels(self, model: str) -> tuple[str, ...]:
        """Return the names of a model's classes; empty if it has none."""
        return self._once(
            ("labels", model),
            lambda: tuple(self.models.labels(model=model, doing=f"read {model}'s labels")),
        )

    def meaning(self, model: str, outputs: Arrays) -> list[Arrays]:
        """Return what a model's own postprocessing makes of its outputs, per row."""
        return self.models.postprocess(
            model=model, outputs=outputs, doing=f"postprocess {model}'s outputs"
        )

    def row_names(self, model: str) -> list[str]:
        """Return what a model's different rows are called: photographs, or drawn rows."""
        images = str(self._config.images or "")
        return self._once(
            ("row_names", model),
            lambda: self.models.row_names(
                model=model, images=images, doing=f"list {model}'s photographs"
            ),
        )

    def feeds(self, model: str, batch: int, start: int = 0) -> Arrays:
        """Return the named inputs made from ``batch`` photographs from ``start`` on, in a cycle.

        Those from the first on are kept, and the latest others.
        """

        def make() -> Arrays:
            return self.models.feeds(
                model=model,
                batch=batch,
                images=str(self._config.images or ""),
                start=start,
                doing=f"prepare {model}'s inputs",
            )

        if not start:
            return self._once(("feeds", model, batch), make)
        key = (model, batch, start)
        if self._latest_feeds is None or self._latest_feeds[0] != key:
            self._latest_feeds = key, make()
        return self._latest_feeds[1]

    def graph(self, case: Case) -> Graph:
        """Return what the engine of ``case`` is built from."""
        wanted = self.graph_request(case)
        key = ("graph", case.model, wanted, case.batch if wanted.is_static else 0)
        return self._once(key, lambda: self._graph(case, wanted))

    def graph_facts(self, graph: Graph) -> GraphFacts:
        """Return what an exported file really is, read from it."""
        return self.models.graph_facts(graph=graph, doing=f"read {graph.file}")

    def graph_request(self, case: Case) -> GraphRequest:
        """Return what graph the engine of ``case`` wants."""
        return self._once(("wanted", case), lambda: self._wanted(case, self.request(case)))

    def request(self, case: Case) -> BuildRequest:
        """Return what the built engine of ``case`` must be able to do."""
        return build_request(case)

    def built(self, case: Case) -> BuiltEngine:
        """Return the built engine of ``case``, built once per machine, and kept there."""
        return self._once(("built", case), lambda: self._build(case))

    def profiled(self, case: Case) -> BuiltEngine | Missing:
        """Return one engine for every shape of the model's profile, or why there is none."""
        request = profile_request(case)
        if isinstance(request, Missing):
            return request
        return self._once(("profiled", case), lambda: self._built_wide(case, request))

    def profiled_eager(self, case: Case, precision: Precision) -> BuiltEngine:
        """Return eager mode for every shape of the model's profile, pruned if ``case`` is."""
        rival = self.rival(case, precision)
        spec = models.find(case.model).spec.widened()
        module = self.module(case.model, is_pruned=self.graph_request(case).is_pruned)
        request = self.request(rival)
        return BuiltEngine(EAGER, _with_dims(module, spec), request, folder="")

    def shaped(self, case: Case, sizes: Mapping[str, int]) -> BuiltEngine:
        """Return the engine of one shape of the model's profile."""
        key = ("shaped", case, tuple(sizes.items()))
        request = shape_request(case, sizes)
        return self._once(key, lambda: self._built_wide(case, request))

    def built_from(self, case: Case, graph: Graph, cache: str) -> BuiltEngine:
        """Return the engine of ``case`` built from another graph, in a cache of its own."""
        digest = digest_of_file(Path(graph.file))
        return self._build(case, cache=cache, graph=replace(graph, digest=digest))

    def hold(self, case: Case, folder: str) -> None:
        """Let a built engine of this machine's cache stay until this process ends.

        On another machine, the host that built or found it lets it stay.
        """
        if self._hosts.place(case.engine).sees_files:
            self._cache.hold(Path(folder))

    def rebuilt(self, case: Case) -> BuiltEngine:
        """Return the engine of ``case``, built anew into a folder of its own; the cache stays.

        On this machine the folder goes with this object, on another one it stays in its cache.
        """
        place = self._hosts.shared(case.engine).place
        name = f"rebuilt-{uuid4().hex}"
        if place.sees_files:
            self._folders.append(TemporaryDirectory(prefix=name))
            return self._build(case, cache=self._folders[-1].name)
        return self._build(case, cache=f"{place.cache}/{name}")

    def reference(self, case: Case, precision: Precision, start: int = 0) -> Arrays:
        """Return eager mode's outputs for the photographs from ``start`` on, at ``precision``.

        Where an engine is built from pruned weights, eager mode runs with them too. What the first
        photographs give is kept; the rest is read from the cache each time.
        """
        from pytest_infer.arrays import read_arrays

        is_pruned = self.graph_request(case).is_pruned
        key = (case.model, case.batch, precision, case.device, is_pruned, start)

        def folder() -> Path:
            return self._reference(case, precision, start, is_pruned=is_pruned)

        def read() -> Arrays:
            return read_arrays(self._once(("reference", *key), folder))

        return read() if start else self._once(("outputs", *key), read)

    def series(self) -> AbstractContextManager[None]:
        """Let eager mode stay open while the references of several batches are made."""
        return self._eager.kept()

    def rival(self, case: Case, precision: Precision) -> Case:
        """Return eager mode's case beside ``case``: on its device, or else on a CPU elsewhere."""
        return replace(
            case,
            engine=EAGER,
            precision=precision,
            device=self._device_of_eager(case),
            options=(),
        )

    def _device_of_eager(self, case: Case) -> str:
        if self._hosts.place(EAGER).machine == self._hosts.place(case.engine).machine:
            return case.device
        return self._once(
            ("eager", case.device),
            lambda: "cpu" if self._lacks(EAGER, case.device) else case.device,
        )

    def _lacks(self, engine: str, device: str) -> bool:
        lack = self._client(engine).missing(engine=engine, device=device, doing=f"ask for {device}")
        return lack is not None

    def repeats(self, case: Case) -> Sequence[Arrays]:
        """Return eager's outputs in fp32 for the inputs of ``case``, three times, as it runs now.

        Twice of one module, then of another one, and never from the cache.
        """
        is_pruned = self.graph_request(case).is_pruned
        key = ("repeats", case.model, case.batch, case.device, is_pruned)
        return self._once(key, lambda: self._repeats(case, is_pruned=is_pruned))

    def _repeats(self, case: Case, *, is_pruned: bool) -> list[Arrays]:
        built = self._eager_built(case, "fp32", is_pruned=is_pruned)
        feeds = self.feeds(case.model, case.batch)
        outputs: list[Arrays] = []
        for calls in (2, 1):
            opened = OpenedEager(self._hosts)
            with opened.kept():
                outputs += [
                    opened.outputs(built, feeds, f"run {case.model} again") for _ in range(calls)
                ]
        return outputs

    def _eager_built(self, case: Case, precision: Precision, *, is_pruned: bool) -> BuiltEngine:
        graph = self.module(case.model, is_pruned=is_pruned)
        return BuiltEngine(EAGER, graph, self.request(self.rival(case, precision)), folder="")

    def _reference(self, case: Case, precision: Precision, start: int, *, is_pruned: bool) -> Path:
        from pytest_infer.arrays import digest_of_arrays, write_arrays

        feeds = self.feeds(case.model, case.batch, start)
        rival = self.rival(case, precision)
        key = {
            "graph": self.module(case.model, is_pruned=is_pruned).digest,
            "feeds": digest_of_arrays(feeds),
            "precision": precision,
            "device": self.device(EAGER, rival.device),
            "adapter": self._adapter(EAGER),
        }

        def make(folder: Path) -> dict[str, Any]:
            doing = f"compute {case.model}'s reference in {precision}"
            built = self._eager_built(case, precision, is_pruned=is_pruned)
            try:
                outputs = self._eager.outputs(built, feeds, doing)
            except RunError as error:
                raise with_range(error, models.find(case.model)) from error
            write_arrays(folder, outputs)
            return {}

        return self._cache.entry("references", key, make).folder

    def _wanted(self, case: Case, request: BuildRequest) -> GraphRequest:
        return self._client(case.engine).graph_request(
            engine=case.engine,
            request=request,
            doing=f"ask {case.engine} what it is built from",
        )

    def _graph(self, case: Case, wanted: GraphRequest) -> Graph:
        module = self.module(case.model, is_pruned=wanted.is_pruned)
        if wanted.format == "module":
            return module
        return self._graphs.exported(module, wanted, self.request(case).shapes)

    def module(self, model: str, *, is_pruned: bool = False) -> Graph:
        """Return a model's code and weights."""
        return self.modules.module(model, is_pruned=is_pruned)

    def _built_wide(self, case: Case, request: BuildRequest) -> BuiltEngine:
        """Build from a graph of its own: the others keep the dimensions of the model's spec."""
        wanted = self._wanted(case, request)
        spec = models.find(case.model).spec.widened()
        module = _with_dims(self.module(case.model, is_pruned=wanted.is_pruned), spec)
        if wanted.format == "module":
            return self._build(case, graph=module, request=request)
        graph = self._graphs.exported(module, wanted, request.shapes)
        return self._build(case, graph=_with_dims(graph, spec), request=request)

    def _build(
        self,
        case: Case,
        cache: str = "",
        graph: Graph | None = None,
        request: BuildRequest | None = None,
    ) -> BuiltEngine:
        adapter = engines.find(case.engine)
        request = request or self.request(case)
        refuse_gpu_settings(adapter.options, case.engine, request)
        graph = graph or self.graph(case)
        if not adapter.builds_files:
            return BuiltEngine(case.engine, graph, request, folder="")
        client = self._client(case.engine)
        found = client.build(
            engine=case.engine,
            graph=graph,
            request=request,
            cache=cache or client.host.place.cache,
            doing=f"build {case.id}",
        )
        self.engines.count(is_new=found.is_new, notice=found.notice)
        self.hold(case, found.folder)
        return BuiltEngine(case.engine, graph, request, found.folder)

    def _client(self, engine: str) -> EngineClient:
        """Return what asks an engine's host, a new one if it died."""
        return EngineClient(self._hosts.shared(engine))

    def _once(self, key: Any, make: Callable[[], T]) -> T:
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept


def _with_dims(graph: Graph, spec: ModelSpec) -> Graph:
    """Return the graph as one of ``spec``, whose bounds are in no file and decide what is built."""
    dims = {name: asdict(dim) for name, dim in spec.dims.items()}
    shapes = {name: list(tensor.shape) for name, tensor in spec.inputs.items()}
    key = {"graph": graph.digest, "dims": dims, "shapes": shapes}
    return replace(graph, spec=spec, digest=digest_of(key))
