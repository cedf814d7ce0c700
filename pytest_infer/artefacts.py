"""What is made once and kept: weights, feeds, graphs, built engines and references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_infer import engines, models
from pytest_infer.cache import digest_of
from pytest_infer.engine import BuildRequest, BuiltEngine, Graph
from pytest_infer.errors import BuildError, ExportError, HostError, LoadError, ModelError, RunError
from pytest_infer.export import OPSET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.cache import Cache, Entry
    from pytest_infer.config import InferConfig
    from pytest_infer.engine import Arrays
    from pytest_infer.errors import InferError
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.spec import Case, ModelSpec, Precision

T = TypeVar("T")

MODEL_HOST = "eager"
"""The engine whose host has the models' Python code and libraries."""


@dataclass
class Tally:
    """How many artefacts were found in the cache, how many were made, and what was odd."""

    found: int = 0
    made: int = 0
    notices: tuple[str, ...] = ()

    def count(self, entry: Entry) -> None:
        """Count one entry of the cache."""
        self.made += entry.is_new
        self.found += not entry.is_new
        self.notices += (entry.notice,) if entry.notice else ()


class Artefacts:
    """Makes each artefact in the host it belongs to, unless the cache has it."""

    def __init__(self, config: InferConfig, cache: Cache, hosts: HostPool) -> None:
        self._config = config
        self._cache = cache
        self._hosts = hosts
        self._kept: dict[Any, Any] = {}
        self.engines = Tally()

    def device(self, engine: str, device: str) -> dict[str, Any]:
        """Return the fingerprint of a device of the machine on which an engine's host runs."""
        return self._once(
            ("device", engine, device),
            lambda: self._hosts.shared(engine).call(
                "host.device", error=HostError, doing=f"identify {device}", device=device
            ),
        )

    def runtime(self, engine: str) -> dict[str, Any]:
        """Return the versions of an engine's libraries in its host."""
        return self._once(
            ("runtime", engine),
            lambda: self._hosts.shared(engine).call(
                "engine.runtime", error=HostError, doing=f"identify {engine}", engine=engine
            ),
        )

    def labels(self, model: str) -> tuple[str, ...]:
        """Return the names of a model's classes; empty if it has none."""
        return self._once(
            ("labels", model),
            lambda: tuple(self._model_call("model.labels", f"read {model}'s labels", model=model)),
        )

    def meaning(self, model: str, outputs: Arrays) -> list[Arrays]:
        """Return what a model's own postprocessing makes of its outputs, per row."""
        meaning: list[Arrays] = self._model_call(
            "model.postprocess", f"postprocess {model}'s outputs", model=model, outputs=outputs
        )
        return meaning

    def feeds(self, model: str, batch: int) -> Arrays:
        """Return the named inputs made from the first ``batch`` photographs, cyclically."""
        images = str(self._config.images or "")
        return self._once(
            ("feeds", model, batch),
            lambda: self._model_call(
                "model.feeds", f"prepare {model}'s inputs", model=model, batch=batch, images=images
            ),
        )

    def module_graph(self, model: str) -> Graph:
        """Return a model's code and weights."""
        return self._once(("module", model), lambda: self._module_graph(model))

    def onnx_graph(self, model: str, opset: int) -> Graph:
        """Return the file exported from a model at ``opset``."""
        return self._once(("onnx", model, opset), lambda: self._onnx_graph(model, opset))

    def graph(self, model: str, engine: str) -> Graph:
        """Return what ``engine`` is built from."""
        if engines.find(engine).graph_format == "module":
            return self.module_graph(model)
        return self.onnx_graph(model, self.opset(engine))

    def opset(self, engine: str) -> int:
        """Return the ONNX operator set at which graphs for ``engine`` are exported."""
        return self._once(
            ("opset", engine),
            lambda: (
                self._hosts.shared(engine).call(
                    "engine.opset", error=HostError, doing=f"identify {engine}", engine=engine
                )
                or OPSET
            ),
        )

    def request(self, case: Case) -> BuildRequest:
        """Return what the built engine of ``case`` must be able to do."""
        spec = models.find(case.model).spec
        return BuildRequest(case.precision, case.device, spec.input_shapes(case.batch))

    def built(self, case: Case) -> BuiltEngine:
        """Return the built engine of ``case``, built once per machine."""
        return self._once(("built", case), lambda: self._build(case))

    def reference(self, case: Case, precision: Precision) -> Arrays:
        """Return eager mode's outputs for the inputs of ``case``, at ``precision``."""
        return self._once(
            ("reference", case.model, case.batch, precision, case.device),
            lambda: self._reference(case, precision),
        )

    def _reference(self, case: Case, precision: Precision) -> Arrays:
        from dataclasses import replace

        from pytest_infer.arrays import digest_of_arrays, read_arrays, write_arrays

        feeds = self.feeds(case.model, case.batch)
        eager = self.built(replace(case, engine=MODEL_HOST, precision=precision))
        key = {
            "graph": eager.graph.digest,
            "feeds": digest_of_arrays(feeds),
            "precision": precision,
            "device": self.device(MODEL_HOST, case.device),
        }

        def make(folder: Path) -> dict[str, Any]:
            host = self._hosts.shared(MODEL_HOST)
            doing = f"compute {case.model}'s reference in {precision}"
            runner = host.call("engine.open", error=LoadError, doing=doing, built=eager)
            outputs = host.call(
                "engine.infer", error=RunError, doing=doing, runner=runner, feeds=feeds
            )
            host.call("engine.close", error=RunError, doing=doing, runner=runner)
            write_arrays(folder, outputs)
            return {}

        return read_arrays(self._cache.entry("references", key, make).folder)

    def _build(self, case: Case) -> BuiltEngine:
        adapter = engines.find(case.engine)
        graph = self.graph(case.model, case.engine)
        request = self.request(case)
        if not adapter.builds_files:
            return BuiltEngine(case.engine, graph, request, folder="")
        key = {
            "engine": case.engine,
            "graph": graph.digest,
            "precision": case.precision,
            "shapes": request.shapes,
            "runtime": self.runtime(case.engine),
            "device": self.device(case.engine, case.device),
        }

        def make(folder: Path) -> dict[str, Any]:
            facts: dict[str, Any] = self._hosts.shared(case.engine).call(
                "engine.build",
                error=BuildError,
                doing=f"build {case.id}",
                engine=case.engine,
                graph=graph,
                request=request,
                folder=str(folder),
            )
            return facts

        entry = self._cache.entry("engines", key, make)
        self.engines.count(entry)
        return BuiltEngine(case.engine, graph, request, str(entry.folder))

    def _module_graph(self, model: str) -> Graph:
        spec = models.find(model).spec
        identity = self._model_call("model.identity", f"identify {model}", model=model)
        weights = self._weights(spec, identity)
        ((name, digest),) = weights.digests.items()
        return Graph(
            spec=spec,
            format="module",
            file=str(weights.folder / name),
            digest=digest_of({"code": identity, "weights": digest}),
        )

    def _weights(self, spec: ModelSpec, identity: dict[str, Any]) -> Entry:
        """Return the weights' entry; only seeded ones are known without loading them."""
        choice = "own" if spec.brings_weights else self._config.weights
        key: dict[str, Any] = {"model": spec.name, "weights": choice, "identity": identity}
        if choice != "seeded":
            key["content"] = self._model_call(
                "model.weights_digest", f"load {spec.name}", model=spec.name, weights=choice
            )

        def make(folder: Path) -> dict[str, Any]:
            self._model_call(
                "model.write_weights",
                f"load {spec.name}",
                model=spec.name,
                weights=choice,
                folder=str(folder),
            )
            return {"weights": choice}

        return self._cache.entry("weights", key, make)

    def _onnx_graph(self, model: str, opset: int) -> Graph:
        module = self.module_graph(model)
        key = {"module": module.digest, "opset": opset, "runtime": self.runtime(MODEL_HOST)}

        def make(folder: Path) -> dict[str, Any]:
            self._model_call(
                "model.export",
                f"export {model} to ONNX",
                error=ExportError,
                graph=module,
                folder=str(folder),
                opset=opset,
            )
            return {"opset": opset}

        entry = self._cache.entry("graphs", key, make)
        ((name, digest),) = entry.digests.items()
        return Graph(module.spec, "onnx", str(entry.folder / name), digest, opset)

    def _model_call(
        self,
        operation: str,
        doing: str,
        *,
        error: type[InferError] = ModelError,
        **arguments: Any,
    ) -> Any:
        return self._hosts.shared(MODEL_HOST).call(operation, error=error, doing=doing, **arguments)

    def _once(self, key: Any, make: Callable[[], T]) -> T:
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept
