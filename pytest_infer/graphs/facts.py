"""What an exported graph is, read from the file itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.graphs.node_precisions import NodePrecisions
from pytest_infer.graphs.onnx_precision import precisions_in
from pytest_infer.graphs.onnx_weights import weights_of
from pytest_infer.graphs.pruning import GROUP, KEPT

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class TensorFacts:
    """A named tensor's sizes (0 for a dynamic dimension) and numpy dtype name."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class GraphFacts:
    """An ONNX file's operator set, named inputs and outputs, and how its weights are kept."""

    opset: int
    tensors: Mapping[str, TensorFacts]
    """Inputs, then outputs, in the file's order."""
    dynamic_dims: tuple[str, ...]
    """The names of the inputs' dynamic dimensions."""
    precisions: NodePrecisions
    """How many nodes compute in each precision, by the types of their inputs."""
    quantizers: int
    """How many QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear nodes there are."""
    weight_bits: int
    """Of the largest weight that is kept as int8: 7 if all lie within 64; 0 if none is."""
    pruned_share: float
    """How many groups of four weights along the inputs have two zeros or more, 0 to 1.

    Of convolutions and matrix products."""

    def figures(self) -> dict[str, float]:
        """Return what a report shows."""
        return {
            "opset": self.opset,
            "dynamic_dims": len(self.dynamic_dims),
            "quantizers": self.quantizers,
            "pruned_share": self.pruned_share,
        }


def graph_facts(path: Path) -> GraphFacts:
    """Return what is in the ONNX file at ``path``."""
    import onnx
    from onnx.external_data_helper import load_external_data_for_model
    from onnx.shape_inference import infer_shapes

    model = onnx.load(path, load_external_data=False)
    # torch's tracing exporter leaves out the types of what lies between inputs and outputs
    typed = infer_shapes(model).graph  # takes 2 GiB at most: weights come later
    load_external_data_for_model(model, str(path.parent))
    graph = model.graph
    return GraphFacts(
        opset=opset_of(model),
        tensors={value.name: _tensor(value) for value in (*graph.input, *graph.output)},
        dynamic_dims=tuple(
            dict.fromkeys(
                dim.dim_param or "?"
                for value in graph.input
                for dim in value.type.tensor_type.shape.dim
                if not dim.HasField("dim_value")
            )
        ),
        precisions=precisions_in(typed),
        quantizers=sum(
            node.op_type.endswith(("QuantizeLinear", "DequantizeLinear")) for node in graph.node
        ),
        weight_bits=_weight_bits(graph),
        pruned_share=_pruned_share(graph),
    )


def opset_of(model: Any) -> int:
    """Return the version of the default operator set of a loaded ONNX model."""
    return next(
        int(entry.version) for entry in model.opset_import if entry.domain in {"", "ai.onnx"}
    )


def _tensor(value: Any) -> TensorFacts:
    import onnx

    kind = value.type.tensor_type
    name = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
    dtype = {"float": "float32", "double": "float64"}.get(name, name)
    return TensorFacts(
        tuple(dim.dim_value if dim.HasField("dim_value") else 0 for dim in kind.shape.dim), dtype
    )


def _weight_bits(graph: Any) -> int:
    kept = [weights for weights, _ in weights_of(graph) if weights.dtype == np.int8]
    largest = max((int(np.abs(each.astype(np.int16)).max()) for each in kept), default=0)
    return (largest - 1).bit_length() + 1 if largest else 0


def _pruned_share(graph: Any) -> float:
    """Return the share of 2:4 groups in the weights of products that have such groups."""
    groups = [
        np.moveaxis(weights, axis, -1).reshape(-1, GROUP)
        for weights, axis in weights_of(graph)
        if weights.shape[axis] % GROUP == 0
    ]
    total = sum(len(each) for each in groups)
    sparse = sum(int(((each == 0).sum(1) >= GROUP - KEPT).sum()) for each in groups)
    return sparse / total if total else 0.0
