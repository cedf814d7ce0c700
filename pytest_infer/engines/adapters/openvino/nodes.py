"""Which arithmetic a compiled OpenVINO model uses, from the nodes of its runtime model."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_infer.graphs.node_precisions import NodePrecisions

if TYPE_CHECKING:
    from collections.abc import Iterable

PRODUCTS = frozenset({
    "BinaryConvolution", "Convolution", "Deconvolution", "DeformableConvolution", "FullyConnected",
    "LLMMLP", "MatMul", "QKVProjection", "RNNCell", "RNNSeq", "ScaledDotProductAttention",
})  # fmt: skip
"""Layer types of the CPU plugin that multiply and sum."""

MOVES = frozenset({
    "Broadcast", "ConcatLoopEnd", "Concatenation", "Const", "Convert", "DepthToSpace", "Gather",
    "GatherElements", "GatherND", "Identity", "Input", "MemoryInput", "MemoryOutput", "Output",
    "Pad", "Reorder", "Reshape", "ShapeOf", "SpaceToDepth", "Split", "StridedSlice", "Tile",
    "Transpose",
})  # fmt: skip
"""Layer types that compute nothing."""

FRACTIONS = {"f64": "fp64", "f32": "fp32", "f16": "fp16", "bf16": "bf16"}

INTEGERS = frozenset({
    "boolean", "i16", "i32", "i4", "i64", "i8", "u1", "u16", "u32", "u4", "u64", "u8",
})  # fmt: skip

BYTES = {"u8": "int8", "i8": "int8"}
"""They mean int8 arithmetic in products only: elsewhere they hold bools and indices too."""


def node_precisions(nodes: Iterable[tuple[str, str]]) -> NodePrecisions:
    """Count nodes, each given as its layer type and its runtime precision (``f32``, ``u8`` ...)."""
    products: Counter[str] = Counter()
    others: Counter[str] = Counter()
    unknown = 0
    for layer, kind in nodes:
        if layer in PRODUCTS:
            products[(FRACTIONS | BYTES).get(kind, kind)] += 1
        elif layer not in MOVES and kind in FRACTIONS:
            others[FRACTIONS[kind]] += 1
        elif layer not in MOVES and kind not in INTEGERS:
            unknown += 1
    return NodePrecisions(dict(products), dict(others), unknown)
