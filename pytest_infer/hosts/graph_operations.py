"""What an engine host can be asked about graph files: to write them, and what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.arrays import digest_of_arrays, write_arrays
from pytest_infer.devices import fingerprint
from pytest_infer.graphs import layers, quantization_loss
from pytest_infer.graphs.export import check_graph, export_onnx, signature_of
from pytest_infer.graphs.facts import GraphFacts, graph_facts
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.graphs.graph_nodes import nodes_of
from pytest_infer.graphs.module import own_module
from pytest_infer.graphs.onnx_copies import write_copy
from pytest_infer.graphs.quantization import calibration_feeds, quantize_onnx
from pytest_infer.hosts.heap import leaves_memory
from pytest_infer.hosts.wire import as_type
from pytest_infer.models import registry as models
from pytest_infer.models.reached_code import reached_code
from pytest_infer.models.source import file_of

if TYPE_CHECKING:
    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.graphs.graph_nodes import GraphNode
    from pytest_infer.graphs.layer import Layer
    from pytest_infer.models.spec import ModelSpec

GRAPH_FILE = "graph.onnx"

EXPORTERS = ("torch", "onnx", "onnxscript", "onnxruntime", "onnxruntime-gpu")
"""Distributions whose version can change an exported file, torch's own helpers among them."""


class GraphOperations:
    """Each public method is one operation; its arguments are builtin types and arrays."""

    def runtime(self) -> dict[str, Any]:
        """Return the versions and the code on which an exported or quantized file depends."""
        code = reached_code([file_of(each) for each in (export_onnx, quantize_onnx, write_copy)])
        return fingerprint.runtime_fingerprint(EXPORTERS) | {"code": code.as_key()}

    @leaves_memory
    def export(
        self,
        graph: dict[str, Any],
        request: dict[str, Any],
        shapes: dict[str, Any],
        folder: str,
        images: str = "",
    ) -> None:
        """Export a module with its weights, or copy a file, to what ``request`` describes."""
        module, wanted = as_type(graph, Graph), as_type(request, GraphRequest)
        if wanted.has_calibration:
            found = models.find(module.spec.name)
            write_arrays(Path(folder), calibration_feeds(found, images))
        path = Path(folder, GRAPH_FILE)
        if module.spec.onnx is not None:
            write_copy(Path(module.file), path, wanted, module.spec, shapes)
            return
        export_onnx(own_module(module), module.spec, path, wanted, shapes)

    def facts(self, graph: dict[str, Any]) -> GraphFacts:
        """Return what an exported file really is."""
        return graph_facts(Path(as_type(graph, Graph).file))

    def layers(self, file: str) -> list[Layer]:
        """Return the nodes of an exported file that compute floating tensors."""
        return layers.layers_of(Path(file))

    def nodes(self, file: str, like: str = "") -> list[GraphNode]:
        """Return the nodes of an exported file, by the modules that they come from."""
        return nodes_of(Path(file), Path(like) if like else None)

    def mark(self, file: str, tensors: list[str], target: str) -> None:
        """Write an exported file that puts out ``tensors``, too."""
        layers.write_marked(Path(file), tensors, Path(target))

    def cut(self, file: str, tensor: str, target: str) -> None:
        """Write the part of an exported file that computes ``tensor``."""
        layers.write_cut(Path(file), tensor, Path(target))

    def computed(self, file: str, feeds: Arrays, tensors: list[str]) -> dict[str, Array]:
        """Return tensors of an exported file, computed node by node."""
        return layers.computed(Path(file), feeds, tensors)

    def calibration_digest(self, model: str, images: str) -> str:
        """Return the digest of what `quantize` calibrates on."""
        return digest_of_arrays(calibration_feeds(models.find(model), images))

    @leaves_memory
    def quantize(
        self,
        graph: dict[str, Any],
        request: dict[str, Any],
        shapes: dict[str, Any],
        images: str,
        folder: str,
    ) -> None:
        """Write an exported fp32 graph in int8, calibrated on every photograph."""
        exact, wanted = as_type(graph, Graph), as_type(request, GraphRequest)
        path = _quantized(exact, wanted, images, folder, unquantized=wanted.unquantized)
        check_graph(path, signature_of(exact.spec, wanted, shapes), opset=wanted.opset)

    def quantization_probe(
        self, graph: dict[str, Any], request: dict[str, Any], images: str, folder: str
    ) -> str:
        """Write an exported fp32 graph as a probe of its layers in int8; return its path."""
        exact, wanted = as_type(graph, Graph), as_type(request, GraphRequest)
        return str(_quantized(exact, wanted, images, folder, is_probe=True))

    def quantized_layers(self, file: str) -> list[Layer]:
        """Return the nodes of a probe that are in int8."""
        return quantization_loss.quantized_layers(Path(file))

    def losses(
        self, model: str, images: str, file: str, kept: list[list[str]], *, is_symmetric: bool
    ) -> list[float]:
        """Return what a probe loses where only the nodes of each part of ``kept`` are in int8."""
        found = models.find(model)
        return quantization_loss.losses(
            Path(file),
            calibration_feeds(found, images),
            kept,
            rowed=_rowed(found.spec),
            is_symmetric=is_symmetric,
        )


def _quantized(
    exact: Graph, wanted: GraphRequest, images: str, folder: str, **options: Any
) -> Path:
    path = Path(folder, GRAPH_FILE)
    quantize_onnx(
        Path(exact.file),
        calibration_feeds(models.find(exact.spec.name), images),
        path,
        is_symmetric=wanted.is_symmetric,
        weight_bits=wanted.weight_bits,
        rowed=_rowed(exact.spec),
        **options,
    )
    return path


def _rowed(spec: ModelSpec) -> list[str]:
    return [name for name, tensor in spec.inputs.items() if tensor.has_rows]
