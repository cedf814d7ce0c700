"""The graphs that engines are built from: a model's weights, and the files exported from them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from pytest_infer import models
from pytest_infer.cache import digest_of
from pytest_infer.engine import Graph, GraphRequest
from pytest_infer.errors import CacheError, ExportError, ModelError

GRAPH_SUFFIX = ".onnx"

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from typing import Protocol

    from pytest_infer.cache import Cache, Entry
    from pytest_infer.config import InferConfig
    from pytest_infer.errors import InferError
    from pytest_infer.spec import ModelSpec

    Make = Callable[[Path], dict[str, Any]]

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
        key = {"code": identity, "weights": content_digest(weights.digests)} | (
            {"pruned": True} if is_pruned else {}
        )
        return Graph(
            spec=spec,
            file=str(weights.folder / _only(weights.digests, weights.folder)),
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
        make: Make,
    ) -> Graph:
        key = {
            "origin": origin.digest,
            "request": asdict(request),
            "runtime": self._call("model.runtime", "identify the exporter"),
            **more,
        }
        entry = self._cache.entry("graphs", key, _checked(make, GRAPH_SUFFIX))
        # beside it there may be its external data
        file = entry.folder / _only(entry.digests, entry.folder, GRAPH_SUFFIX)
        return Graph(origin.spec, str(file), content_digest(entry.digests), request)

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

        return self._cache.entry("weights", key, _checked(make))


def content_digest(digests: Mapping[str, str]) -> str:
    """Return the digest of an entry's content: of its file, or of all with their names.

    Weights that an ONNX file keeps in files beside it are as much a part of it as its nodes.
    """
    if len(digests) == 1:
        (digest,) = digests.values()
        return digest
    return digest_of(dict(digests))


def _checked(make: Make, suffix: str = "") -> Make:
    """Return ``make`` that fails if it leaves no file, or several, of ``suffix``."""

    def checked(folder: Path) -> dict[str, Any]:
        facts = make(folder)
        _only((path.name for path in folder.iterdir()), folder, suffix)
        return facts

    return checked


def _only(names: Iterable[str], folder: Path, suffix: str = "") -> str:
    """Return the only name of ``suffix`` among those in ``folder``; raise `CacheError`."""
    present = sorted(names)
    found = [name for name in present if name.endswith(suffix)]
    if len(found) == 1:
        return found[0]
    raise CacheError(
        f"{folder} has {len(found)} {suffix or 'weights'} files instead of one",
        why=f"there is {', '.join(present) or 'nothing'} in it",
        mend="remove that folder, if it is still there, and it is made again; if it comes back so, "
        "the host does not write what it says",
    )
