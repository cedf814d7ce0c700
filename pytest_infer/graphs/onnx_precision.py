"""Which arithmetic an ONNX graph asks for, from its operators and the types of their inputs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_infer.graphs.node_precisions import NodePrecisions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

INTEGER_PRODUCTS = frozenset({
    "ConvInteger", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulInteger",
    "MatMulIntegerToFloat", "QAttention", "QGemm", "QLinearConv", "QLinearMatMul",
    "QOrderedAttention", "QOrderedMatMul",
})  # fmt: skip
"""Operators that multiply int8, ONNX's own and ONNX Runtime's."""

FLOAT_PRODUCTS = frozenset({
    "Attention", "Conv", "ConvTranspose", "Einsum", "FusedConv", "FusedGemm", "FusedMatMul", "GRU",
    "Gemm", "LSTM", "MatMul", "MultiHeadAttention", "NhwcConv", "NhwcFusedConv", "RNN",
    "TransposeMatMul",
})  # fmt: skip
"""Operators that multiply fractions, of the type of their inputs."""

INTEGER_PREFIX = "QLinear"
"""With it ONNX Runtime names its operators that compute in int8."""

MOVES = frozenset({
    "Cast", "Concat", "Constant", "ConstantOfShape", "DequantizeLinear", "Expand", "Flatten",
    "Gather", "GatherElements", "GatherND", "Identity", "Pad", "QLinearConcat", "QuantizeLinear",
    "ReorderInput", "ReorderOutput", "Reshape", "Shape", "Slice", "Split", "Squeeze", "Tile",
    "Transpose", "Unsqueeze",
})  # fmt: skip
"""Operators that compute nothing."""

FRACTIONS = {"DOUBLE": "fp64", "FLOAT": "fp32", "FLOAT16": "fp16", "BFLOAT16": "bf16"}


def operator_precisions(operators: Iterable[str], floating: str) -> NodePrecisions:
    """Count operators by precision, in a graph whose fractions are all ``floating``."""
    products: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for name in operators:
        if name in INTEGER_PRODUCTS:
            products["int8"] += 1
        elif name in FLOAT_PRODUCTS:
            products[floating] += 1
        elif name not in MOVES:
            others["int8" if name.startswith(INTEGER_PREFIX) else floating] += 1
    return NodePrecisions(dict(products), dict(others))


def operator_precision(operator: str, floating: str) -> str:
    """Return in what one operator computes, where fractions are ``floating``; empty for a move."""
    if operator in INTEGER_PRODUCTS:
        return "int8"
    if operator in MOVES:
        return ""
    return "int8" if operator.startswith(INTEGER_PREFIX) else floating


def graph_precisions(path: Path) -> NodePrecisions:
    """Count the nodes of an ONNX file by precision.

    ONNX Runtime writes the types of most tensors into the graph that it has optimized; those
    around the nodes that it added last follow from the nodes before them.
    """
    import onnx

    return precisions_in(onnx.load(path, load_external_data=False).graph)


def precisions_in(graph: Any) -> NodePrecisions:
    """Count the nodes of a loaded ONNX graph by precision."""
    known = _types(graph)
    products: Counter[str] = Counter()
    others: Counter[str] = Counter()
    unknown = 0
    for node in graph.node:
        kind = next((known[name] for name in node.input if name in known), "")
        for name in node.output:
            if name not in known:
                known[name] = _output_type(node, kind, known)
        if node.op_type in INTEGER_PRODUCTS:
            products["int8"] += 1
        elif node.op_type in FLOAT_PRODUCTS:
            products[FRACTIONS.get(kind, kind or "unknown")] += 1
        elif node.op_type not in MOVES and node.op_type.startswith(INTEGER_PREFIX):
            others["int8"] += 1
        elif node.op_type not in MOVES and kind in FRACTIONS:
            others[FRACTIONS[kind]] += 1
        elif node.op_type not in MOVES and not kind:
            unknown += 1
    return NodePrecisions(dict(products), dict(others), unknown)


def _output_type(node: Any, kind: str, known: Mapping[str, str]) -> str:
    """Return the type of a node's outputs, which is that of its inputs but for conversions."""
    if node.op_type in {"Shape", "Size"}:
        return "INT64"
    if node.op_type == "Cast":
        from onnx import TensorProto

        (target,) = (each.i for each in node.attribute if each.name == "to")
        return str(TensorProto.DataType.Name(target))
    if node.op_type == "DequantizeLinear":
        return known.get(node.input[1], "")
    if node.op_type == "QuantizeLinear":  # without a zero point it writes uint8
        return known.get("".join(node.input[2:3]), "UINT8")
    return kind


def _types(graph: Any) -> dict[str, str]:
    from onnx import TensorProto

    name_of = TensorProto.DataType.Name
    values = (*graph.input, *graph.value_info, *graph.output)
    return {value.name: name_of(value.type.tensor_type.elem_type) for value in values} | {
        tensor.name: name_of(tensor.data_type) for tensor in graph.initializer
    }
