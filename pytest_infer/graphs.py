"""The graphs that engines are built from: a model's weights, and the files exported from them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from pytest_infer import models
from pytest_infer.cache import digest_of
from pytest_infer.engine import Graph, GraphRequest
from pytest_infer.errors import ExportError, ModelError

GRAPH_SUFFIX = ".onnx"

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Protocol

    from pytest_infer.cache import Cache, Entry
    from pytest_infer.config import InferConfig
    from pytest_infer.errors import InferError
    from pytest_infer.spec import ModelSpec

    class ModelCall(Protocol):
        """Asks the host that has the models' code and libraries."""

        def __call__(
            self,
            operation: str,
            doing: str,
            *,
            error: type[InferError] = ModelError,
            **arguments: Any,
        ) -> Any:
            """Return the operation's result."""
            ...


class Graphs:
    """Makes each graph in the host that has the models, unless the cache has it."""

    def __init__(self, config: InferConfig, cache: Cache, call: ModelCall) -> None:
        self._config = config
        self._cache = cache
        self._call = call

    def module(self, model: str, *, is_pruned: bool) -> Graph:
        """Return a model's code and weights."""
        spec = models.find(model).spec
        identity = self._call("model.identity", f"identify {model}", model=model)
        weights = self._weights(spec, identity)
        (name,) = weights.digests
        key = {"code": identity, "weights": content_digest(weights.digests)} | (
            {"pruned": True} if is_pruned else {}
        )
        return Graph(
            spec=spec,
            file=str(weights.folder / name),
            digest=digest_of(key),
            request=GraphRequest("module", is_pruned=is_pruned),
        )

    def exported(
        self, module: Graph, request: GraphRequest, shapes: Mapping[str, tuple[int, ...]]
    ) -> Graph:
        """Return the ONNX file that ``request`` describes; ``shapes`` count if it is static."""
        if request.precision == "int8":
            return self._quantized(module, request, shapes)
        sizes = dict(shapes) if request.is_static else {}

        def make(folder: Path) -> dict[str, Any]:
            self._call(
                "model.export",
                f"export {module.spec.name} to ONNX",
                error=ExportError,
                graph=module,
                request=request,
                shapes=sizes,
                folder=str(folder),
            )
            return asdict(request)

        return self._file(module, request, {"shapes": sizes}, make)

    def _quantized(
        self, module: Graph, request: GraphRequest, shapes: Mapping[str, tuple[int, ...]]
    ) -> Graph:
        """Return the exported graph in int8, calibrated on the photographs that models are fed."""
        plain = replace(request, precision="fp32", is_symmetric=False)
        exact = self.exported(module, plain, shapes)
        doing = f"quantize {module.spec.name} to int8"
        name, images = module.spec.name, str(self._config.images or "")
        calibration = self._call("model.calibration_digest", doing, model=name, images=images)

        def make(folder: Path) -> dict[str, Any]:
            self._call(
                "model.quantize",
                doing,
                error=ExportError,
                graph=exact,
                request=request,
                shapes=dict(shapes),
                images=images,
                folder=str(folder),
            )
            return asdict(request)

        return self._file(exact, request, {"calibration": calibration}, make)

    def _file(
        self,
        origin: Graph,
        request: GraphRequest,
        more: dict[str, Any],
        make: Callable[[Path], dict[str, Any]],
    ) -> Graph:
        key = {
            "origin": origin.digest,
            "request": asdict(request),
            "runtime": self._call("model.runtime", "identify the exporter"),
            **more,
        }
        entry = self._cache.entry("graphs", key, make)
        return Graph(origin.spec, str(_graph_file(entry)), content_digest(entry.digests), request)

    def _weights(self, spec: ModelSpec, identity: dict[str, Any]) -> Entry:
        """Return the weights' entry; only seeded ones are known without loading them."""
        choice = "own" if spec.brings_weights else self._config.weights
        key: dict[str, Any] = {"model": spec.name, "weights": choice, "identity": identity}
        if choice != "seeded":
            key["content"] = self._call(
                "model.weights_digest", f"load {spec.name}", model=spec.name, weights=choice
            )

        def make(folder: Path) -> dict[str, Any]:
            self._call(
                "model.write_weights",
                f"load {spec.name}",
                model=spec.name,
                weights=choice,
                folder=str(folder),
            )
            return {"weights": choice}

        return self._cache.entry("weights", key, make)


def content_digest(digests: Mapping[str, str]) -> str:
    """Return the digest of an entry's content: of its file, or of all with their names.

    Weights that an ONNX file keeps in files beside it are as much a part of it as its nodes.
    """
    if len(digests) == 1:
        (digest,) = digests.values()
        return digest
    return digest_of(dict(digests))


def _graph_file(entry: Entry) -> Path:
    """Return the ONNX file of an entry, beside which there may be its external data."""
    (name,) = (name for name in entry.digests if name.endswith(GRAPH_SUFFIX))
    return entry.folder / name
