"""What an engine is built from, and what it may ask of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pytest_infer.case import Precision
from pytest_infer.models.spec import ModelSpec

GraphFormat: TypeAlias = Literal["module", "onnx"]

GRAPH_FORMATS: tuple[GraphFormat, ...] = ("module", "onnx")

OPSET = 18
"""The ONNX operator set of exported graphs: the first that torch's dynamo exporter writes."""


@dataclass(frozen=True)
class GraphRequest:
    """What an engine wants to be built from."""

    format: GraphFormat
    precision: Precision = "fp32"
    """The types in an ONNX file: the model cast to it; int8: quantized, with Q/DQ nodes."""
    opset: int = OPSET
    """The ONNX operator set of the file."""
    is_static: bool = False
    """The file has the case's shapes and no dynamic dimension."""
    is_symmetric: bool = False
    """int8: every zero point is 0 and biases stay in fp32, as TensorRT demands."""
    weight_bits: int = 8
    """int8: 7 where the CPU's sums of two products of 8 bits overflow."""
    unquantized: tuple[str, ...] = ()
    """int8: the names of the nodes that stay in fp32."""
    has_calibration: bool = False
    """int8: the rows to calibrate on lie beside the fp32 graph, for an engine that finds scales."""
    is_pruned: bool = False
    """Two of every four weights along the inputs of convolutions and matrices are zero."""


@dataclass(frozen=True)
class Graph:
    """What an engine is built from: a model's code and weights, or a file exported from them."""

    spec: ModelSpec
    file: str
    """The weights (safetensors) of a ``module``, the graph (ONNX) of an ``onnx``.

    Of a model that is an ONNX file it is always that file, or a copy of it.
    """
    digest: str
    """SHA-256 over everything that decides what the graph computes."""
    request: GraphRequest
    """What was asked for, and was found in the file."""
    beside: tuple[str, ...] = ()
    """The files beside it that hold weights of an ``onnx``."""
