"""How much of an int8 graph's error each of its layers makes alone.

A probe (`quantize_onnx`) is the fp32 graph with Q and DQ before each input of what runs in int8.
They are taken out again around all layers but one: what the outputs then lose is that
layer's. Nearly independent errors add up by their squares.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.graphs.layer import Layer
from pytest_infer.graphs.quantization import QUANTIZED, REMOVED, calls_of, fixed_batch

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from pytest_infer.arrays import Array, Arrays

Q, DQ = "QuantizeLinear", "DequantizeLinear"

CALLS = 4
"""Photographs on which losses are measured: the first of those that are calibrated on."""


def quantized_layers(path: Path) -> list[Layer]:
    """Return the nodes of a probe that have an input with Q and DQ, in their order."""
    import onnx

    nodes = onnx.load(path, load_external_data=False).graph.node
    origins = _origins(nodes)
    return [
        Layer(node.output[0], node.name, node.op_type, tuple(node.input))
        for node in nodes
        if node.op_type in QUANTIZED and not origins.keys().isdisjoint(node.input)
    ]


def losses(
    path: Path,
    feeds: Arrays,
    kept: Sequence[Collection[str]],
    *,
    rowed: Collection[str],
    is_symmetric: bool,
) -> list[float]:
    """Return what a probe's outputs lose where only some of its layers are in int8.

    ``kept`` has the names of these layers, a collection for each loss. Their outputs are rounded,
    too, unless the scheme ``is_symmetric`` (`quantize_onnx`). A loss is the relative L2 error of
    each floating output in each of the first `CALLS` calls, their root mean square.
    """
    import onnx

    model = onnx.load(path)
    calls = list(islice(calls_of(feeds, fixed_batch(path), rowed), CALLS))

    def outputs(names: Collection[str]) -> list[list[Array]]:
        return _outputs(_rounding(model, names, has_outputs=not is_symmetric), calls)

    exact = outputs(())
    return [_loss(outputs(names), exact) for names in kept]


def _rounding(model: Any, names: Collection[str], *, has_outputs: bool) -> bytes:
    """Return the graph in which only tensors that these layers take, or put out, have Q and DQ."""
    import onnx

    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    exact = {
        rounded: origin
        for rounded, origin in _origins(graph.node).items()
        if not _is_rounded(graph.node, rounded, origin, names, has_outputs=has_outputs)
    }
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = exact.get(name, name)
    for output in graph.output:
        if output.name in exact:
            _put_out(graph, output.name, exact[output.name])
    _remove_unused(graph)
    content: bytes = changed.SerializeToString()
    return content


def _is_rounded(
    nodes: Sequence[Any], rounded: str, origin: str, names: Collection[str], *, has_outputs: bool
) -> bool:
    """Return whether one of the layers takes a tensor, or puts it out."""
    if any(node.name in names for node in nodes if rounded in node.input):
        return True
    maker = _maker(nodes, origin) if has_outputs else None
    return maker is not None and maker.name in names


def _maker(nodes: Sequence[Any], tensor: str) -> Any:
    """Return the node that computes a tensor, before an activation that its range stands for."""
    maker = next((node for node in nodes if tensor in node.output), None)
    if maker is not None and maker.op_type in REMOVED:
        return _maker(nodes, maker.input[0])
    return maker


def _put_out(graph: Any, name: str, origin: str) -> None:
    """Let a graph put out what it has computed, not what Q and DQ have made of it."""
    import onnx

    for node in graph.node:
        for place, output in enumerate(node.output):
            if output == name:
                node.output[place] = f"{name}_rounded"
    graph.node.append(onnx.helper.make_node("Identity", [origin], [name]))


def _origins(nodes: Sequence[Any]) -> dict[str, str]:
    """Return what each output of a pair of Q and DQ was made from."""
    rounded = {node.output[0]: node.input[0] for node in nodes if node.op_type == Q}
    return {
        node.output[0]: rounded[node.input[0]]
        for node in nodes
        if node.op_type == DQ and node.input[0] in rounded
    }


def _remove_unused(graph: Any) -> None:
    """Remove nodes whose outputs nobody takes, and the constants that only they took."""
    needed = {output.name for output in graph.output}
    used = []
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            used.append(node)
            needed.update(node.input)
    del graph.node[:]
    graph.node.extend(reversed(used))
    constants = [each for each in graph.initializer if each.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(constants)


def _outputs(graph: bytes, calls: Sequence[Arrays]) -> list[list[Array]]:
    """Return the floating outputs of each call, computed in fp32."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])
    found = (session.run(None, dict(call)) for call in calls)
    return [[each for each in outputs if each.dtype.kind == "f"] for outputs in found]


def _loss(actual: Sequence[Sequence[Array]], exact: Sequence[Sequence[Array]]) -> float:
    squares = [
        _relative_square(got, expected)
        for outputs, others in zip(actual, exact, strict=True)
        for got, expected in zip(outputs, others, strict=True)
    ]
    return float(np.sqrt(np.mean(squares)))


def _relative_square(actual: Array, exact: Array) -> float:
    right = exact.astype(np.float64)
    error = float(np.square(actual.astype(np.float64) - right).sum())
    size = float(np.square(right).sum())
    return error / size if size else float(error > 0)
