"""The tensors inside an ONNX graph: what computes them, and graphs that put them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.graphs.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_infer.arrays import Array, Arrays


def layers_of(path: Path) -> list[Layer]:
    """Return the nodes that compute floating tensors from the graph's inputs, in their order."""
    import onnx

    model = onnx.load(path)
    floating = _floating(model)
    known = {value.name for value in model.graph.input}
    known -= {tensor.name for tensor in model.graph.initializer}
    layers = []
    for node in model.graph.node:
        inputs = tuple(name for name in node.input if name in known)
        if not inputs:
            continue  # a constant
        known.update(name for name in node.output if name)
        if node.output[0] in floating:
            layers.append(Layer(node.output[0], node.name, node.op_type, inputs))
    return layers


def write_marked(path: Path, tensors: Sequence[str], target: Path) -> None:
    """Write the graph so that it puts out ``tensors``, too."""
    import onnx

    model = onnx.load(path)
    types = _floating(model)
    present = {value.name for value in model.graph.output}
    model.graph.output.extend(types[name] for name in tensors if name not in present)
    onnx.save(model, target)


def write_cut(path: Path, tensor: str, target: Path) -> None:
    """Write the part of the graph that computes ``tensor``, with that as its only output."""
    import onnx
    from onnx.utils import Extractor

    model = onnx.shape_inference.infer_shapes(onnx.load(path))  # it wants every tensor's type
    weights = {each.name for each in model.graph.initializer}
    inputs = [value.name for value in model.graph.input if value.name not in weights]
    onnx.save(Extractor(model).extract_model(inputs, [tensor]), target)


def computed(path: Path, feeds: Arrays, tensors: Sequence[str]) -> dict[str, Array]:
    """Return tensors as ONNX Runtime computes them node by node in fp32, without optimizing."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    return dict(zip(tensors, session.run(list(tensors), dict(feeds)), strict=True))


def _floating(model: Any) -> Mapping[str, Any]:
    """Return the value info of floating tensors by name."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.value_info, *graph.output)
    return {
        value.name: value
        for value in values
        if value.type.tensor_type.elem_type
        in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    }
