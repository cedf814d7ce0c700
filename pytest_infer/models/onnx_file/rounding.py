"""What a precision makes of numbers: the type in which they are computed, and how they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_infer.arrays import Array
    from pytest_infer.case import Precision

PRODUCTS = {"Conv": 0, "MatMul": -1, "Gemm": -1}
"""Operators that int8 and tf32 are about, and the axis of their weights' outputs."""

LEVELS, LARGEST = 255, 127
"""Steps of an unsigned 8-bit number; the largest signed one that has a negative."""

_TYPES = {"fp64": "DOUBLE", "fp16": "FLOAT", "bf16": "FLOAT"}
_FRACTIONS = ("float16", "bfloat16", "float32", "float64")

_TF32_BITS = 13
"""Of fp32's 23 bits of the fraction, those that TF32 drops."""


class Rounding:
    """The arithmetic of one precision, as far as numpy's types do not have it.

    fp64 and fp32 of a file are every fraction in fp64, and the types that the file itself has. fp16
    and bf16 are computed in fp32, as libraries sum them, and rounded after every node. int8 rounds
    the weights of products by output channel and their inputs by tensor (Krishnamoorthi 2018, arXiv
    1806.08342); tf32 cuts both to 10 bits, as tensor cores do.
    """

    def __init__(self, precision: Precision) -> None:
        self.precision = precision
        self.onnx_type = _TYPES.get(precision, "")
        """What the file's fractions become; empty: they stay."""

    def stored(self, value: Any) -> Any:
        """Return a value as the precision keeps it; what has no fractions stays as it is."""
        if isinstance(value, list):
            return [self.stored(each) for each in value]
        if not is_fraction(value) or not self.onnx_type:
            return value
        if self.precision == "fp64":
            return value.astype(np.float64, copy=False)
        return value.astype(_short_type(self.precision)).astype(np.float32)

    def is_lessened(self, value: Any) -> bool:
        """Return whether a value has a type that is less than fp64, where that is asked for."""
        return self.precision == "fp64" and is_fraction(value) and value.dtype != np.float64

    def taken(self, node: Any, inputs: Sequence[Any], weights: Mapping[str, Any]) -> Sequence[Any]:
        """Return a node's inputs as products in int8 or tf32 take them."""
        axis = PRODUCTS.get(node.op_type)
        if axis is None or self.precision not in {"int8", "tf32"}:
            return inputs
        if self.precision == "tf32":
            return [_cut(value) for value in inputs[:2]] + list(inputs[2:])
        names = list(node.input)
        if names[1] not in weights:  # a product of activations stays as it is
            return inputs
        if node.op_type == "Gemm" and getattr(node, "transB", 0):
            axis = 0
        return [_rounded_activations(inputs[0]), _rounded_weights(inputs[1], axis), *inputs[2:]]


def is_fraction(value: Any) -> bool:
    """Return whether a value is an array of fractions that a precision replaces."""
    return getattr(getattr(value, "dtype", None), "name", "") in _FRACTIONS


def _short_type(precision: Precision) -> Any:
    import ml_dtypes

    return np.float16 if precision == "fp16" else ml_dtypes.bfloat16


def _cut(value: Array) -> Array:
    """Return fp32 without the bits of the fraction that TF32 has not."""
    if value.dtype != np.float32:
        return value
    found: Array = (value.view(np.int32) & -(1 << _TF32_BITS)).view(np.float32)
    return found


def _rounded_weights(weights: Array, axis: int) -> Array:
    others = tuple(each for each in range(weights.ndim) if each != axis % weights.ndim)
    scale = np.abs(weights).max(others, keepdims=True) / LARGEST
    scale[scale == 0] = 1
    return np.asarray(np.rint(weights / scale) * scale)


def _rounded_activations(values: Array) -> Array:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    scale = (high - low) / LEVELS
    if not scale:
        return values
    zero = round(-low / scale)
    whole = np.clip(np.rint(values / scale) + zero, 0, LEVELS) - zero
    return np.asarray(whole * scale, values.dtype)
