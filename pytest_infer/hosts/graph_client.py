"""The caller's side of `GraphOperations`: what a host can be asked about graph files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ExportError, ModelError
from pytest_infer.graphs.facts import GraphFacts
from pytest_infer.graphs.graph_nodes import GraphNode
from pytest_infer.graphs.layer import Layer
from pytest_infer.hosts.wire import as_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.graphs.graph import Graph, GraphRequest
    from pytest_infer.hosts.host import Host


class GraphClient:
    """Asks the host that has the models' code and libraries; each method is an operation.

    ``doing`` completes "cannot ..." in the error that is raised if the host dies or hangs.
    """

    def __init__(self, host: Callable[[], Host]) -> None:
        """Ask what ``host`` returns each time: a new one if the last has died."""
        self._host = host

    def runtime(self, *, doing: str) -> dict[str, Any]:
        """Return the versions and the code on which an exported or quantized file depends."""
        found: dict[str, Any] = self._host().call("graph.runtime", error=ModelError, doing=doing)
        return found

    def export(
        self,
        *,
        graph: Graph,
        request: GraphRequest,
        shapes: dict[str, tuple[int, ...]],
        folder: str,
        images: str = "",
        doing: str,
    ) -> None:
        """Export a module with its weights to the ONNX file that ``request`` describes."""
        self._host().call(
            "graph.export",
            error=ExportError,
            doing=doing,
            graph=graph,
            request=request,
            shapes=shapes,
            folder=folder,
            images=images,
        )

    def facts(self, *, graph: Graph, doing: str) -> GraphFacts:
        """Return what an exported file really is."""
        found = self._host().call("graph.facts", error=ExportError, doing=doing, graph=graph)
        return as_type(found, GraphFacts)

    def layers(self, *, file: str, doing: str) -> list[Layer]:
        """Return the nodes of an exported file that compute floating tensors."""
        found = self._host().call("graph.layers", error=ExportError, doing=doing, file=file)
        return [as_type(each, Layer) for each in found]

    def nodes(self, *, file: str, like: str = "", doing: str) -> list[GraphNode]:
        """Return the nodes of an exported file, by the modules that they come from.

        ``like`` is the file that it was made from, if it lost its modules' names by that.
        """
        found = self._host().call(
            "graph.nodes", error=ExportError, doing=doing, file=file, like=like
        )
        return [as_type(each, GraphNode) for each in found]

    def mark(self, *, file: str, tensors: Sequence[str], target: str, doing: str) -> None:
        """Write an exported file that puts out ``tensors``, too."""
        self._host().call(
            "graph.mark",
            error=ExportError,
            doing=doing,
            file=file,
            tensors=list(tensors),
            target=target,
        )

    def cut(self, *, file: str, tensor: str, target: str, doing: str) -> None:
        """Write the part of an exported file that computes ``tensor``."""
        self._host().call(
            "graph.cut", error=ExportError, doing=doing, file=file, tensor=tensor, target=target
        )

    def computed(
        self, *, file: str, feeds: Arrays, tensors: Sequence[str], doing: str
    ) -> dict[str, Array]:
        """Return tensors of an exported file, computed node by node."""
        found: dict[str, Array] = self._host().call(
            "graph.computed",
            error=ExportError,
            doing=doing,
            file=file,
            feeds=feeds,
            tensors=list(tensors),
        )
        return found

    def calibration_digest(self, *, model: str, images: str, doing: str) -> str:
        """Return the digest of what `quantize` calibrates on."""
        digest: str = self._host().call(
            "graph.calibration_digest", error=ModelError, doing=doing, model=model, images=images
        )
        return digest

    def quantize(
        self,
        *,
        graph: Graph,
        request: GraphRequest,
        shapes: dict[str, tuple[int, ...]],
        images: str,
        folder: str,
        doing: str,
    ) -> None:
        """Write an exported fp32 graph in int8, calibrated on every photograph."""
        self._host().call(
            "graph.quantize",
            error=ExportError,
            doing=doing,
            graph=graph,
            request=request,
            shapes=shapes,
            images=images,
            folder=folder,
        )

    def quantization_probe(
        self, *, graph: Graph, request: GraphRequest, images: str, folder: str, doing: str
    ) -> str:
        """Write an exported fp32 graph as a probe of its layers in int8; return its path."""
        file: str = self._host().call(
            "graph.quantization_probe",
            error=ExportError,
            doing=doing,
            graph=graph,
            request=request,
            images=images,
            folder=folder,
        )
        return file

    def quantized_layers(self, *, file: str, doing: str) -> list[Layer]:
        """Return the nodes of a probe that are in int8."""
        found = self._host().call(
            "graph.quantized_layers", error=ExportError, doing=doing, file=file
        )
        return [as_type(each, Layer) for each in found]

    def losses(
        self,
        *,
        model: str,
        images: str,
        file: str,
        kept: Sequence[Sequence[str]],
        is_symmetric: bool,
        doing: str,
    ) -> list[float]:
        """Return what a probe loses where only the nodes of each part of ``kept`` are in int8."""
        found: list[float] = self._host().call(
            "graph.losses",
            error=ExportError,
            doing=doing,
            model=model,
            images=images,
            file=file,
            kept=list(kept),
            is_symmetric=is_symmetric,
        )
        return found
