"""The ONNX files that engines are built from: exported from a model's module, or quantized."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from pytest_infer.graphs.graph import Graph
from pytest_infer.graphs.onnx_copies import is_file_itself
from pytest_infer.storage.digest import digest_of
from pytest_infer.storage.written_files import checked, content_digest, only

GRAPH_SUFFIX = ".onnx"

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_infer.config import InferConfig
    from pytest_infer.graphs.graph import GraphRequest
    from pytest_infer.hosts.graph_client import GraphClient
    from pytest_infer.storage.cache import Cache
    from pytest_infer.storage.written_files import Make


class Graphs:
    """Makes each graph in the host that has the models, unless the cache has it."""

    def __init__(self, config: InferConfig, cache: Cache, client: GraphClient) -> None:
        self._config = config
        self._cache = cache
        self._client = client

    def exported(
        self, module: Graph, request: GraphRequest, shapes: Mapping[str, tuple[int, ...]]
    ) -> Graph:
        """Return the ONNX file that ``request`` describes; ``shapes`` count if it is static."""
        if is_file_itself(request, module.spec) and not request.has_calibration:
            return replace(module, request=request)
        if request.precision == "int8" and not (module.spec.onnx and module.spec.onnx.precision):
            return self._quantized(module, request, shapes)
        sizes = dict(shapes) if request.is_static else {}
        doing = f"export {module.spec.name} to ONNX"
        images = str(self._config.images or "")
        more: dict[str, Any] = {"shapes": sizes}
        if request.has_calibration:
            more["calibration"] = self._client.calibration_digest(
                model=module.spec.name, images=images, doing=doing
            )

        def make(folder: Path) -> dict[str, Any]:
            self._client.export(
                graph=module,
                request=request,
                shapes=sizes,
                images=images,
                folder=str(folder),
                doing=doing,
            )
            return asdict(request)

        return self._file(module, request, more, make)

    def exact(
        self, module: Graph, request: GraphRequest, shapes: Mapping[str, tuple[int, ...]]
    ) -> Graph:
        """Return the fp32 graph from which the int8 one of ``request`` is made."""
        plain = replace(
            request,
            precision="fp32",
            is_symmetric=False,
            weight_bits=8,
            unquantized=(),
            has_calibration=False,
        )
        return self.exported(module, plain, shapes)

    def _quantized(
        self, module: Graph, request: GraphRequest, shapes: Mapping[str, tuple[int, ...]]
    ) -> Graph:
        """Return the exported graph in int8, calibrated on the photographs that models are fed."""
        exact = self.exact(module, request, shapes)
        doing = f"quantize {module.spec.name} to int8"
        name, images = module.spec.name, str(self._config.images or "")
        calibration = self._client.calibration_digest(model=name, images=images, doing=doing)

        def make(folder: Path) -> dict[str, Any]:
            self._client.quantize(
                graph=exact,
                request=request,
                shapes=dict(shapes),
                images=images,
                folder=str(folder),
                doing=doing,
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
            "runtime": self._client.runtime(doing="identify the exporter"),
            **more,
        }
        entry = self._cache.entry("graphs", key, checked(make, GRAPH_SUFFIX))
        # beside it there may be its external data
        file = entry.folder / only(entry.digests, entry.folder, GRAPH_SUFFIX)
        whole = {"spec": origin.spec.as_key(), "content": content_digest(entry.digests)}
        others = tuple(str(entry.folder / name) for name in sorted(entry.digests))
        beside = tuple(name for name in others if name != str(file))
        return Graph(origin.spec, str(file), digest_of(whole), request, beside)
