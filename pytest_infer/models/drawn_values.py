"""Draw the values of an input: over the range that its spec states, else over what is usual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pytest_infer.arrays import Array
    from pytest_infer.models.spec import TensorSpec


def draw(
    tensor: TensorSpec, shape: tuple[int, ...], random: np.random.Generator, *, turn: int = 0
) -> Array:
    """Return values in the dtype of ``tensor``, the ends of their range among them.

    Integers cover the range that the spec states, or else their dtype; bools are both. Fractions
    are standard normal: what falls outside a stated range is mirrored at its only end, or drawn
    evenly between both. A single element is the low end in turn 0, the high end in turn 1.
    """
    values = (_fractions if tensor.is_floating else _integers)(tensor, shape, random)
    return _with_ends(values.astype(tensor.dtype), _ends(tensor), random, turn)


def clipped(tensor: TensorSpec, values: Array) -> Array:
    """Return ``values`` within the range that the spec states."""
    if tensor.low is None and tensor.high is None:
        return values
    return np.clip(values, tensor.low, tensor.high)


def _fractions(tensor: TensorSpec, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    low, high = tensor.low, tensor.high
    values = random.standard_normal(shape)
    if low is not None and high is not None:
        even = low + (high - low) * random.random(shape)
        return np.where((values < low) | (values > high), even, values)
    if low is not None:
        return low + np.abs(values - low)
    return values if high is None else high - np.abs(high - values)


def _integers(tensor: TensorSpec, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    low, high = _ends(tensor)
    kind = "uint8" if tensor.dtype == "bool" else tensor.dtype
    return random.integers(low, high, shape, dtype=kind, endpoint=True)


def _ends(tensor: TensorSpec) -> list[Any]:
    """Return the ends of the range; of fractions only those that the spec states."""
    stated = [tensor.low, tensor.high]
    if tensor.is_floating:
        return [end for end in stated if end is not None]
    if tensor.dtype == "bool":
        return [0, 1]
    whole = np.iinfo(tensor.dtype)
    return [
        int(limit if end is None else end)
        for end, limit in zip(stated, (whole.min, whole.max), strict=True)
    ]


def _with_ends(values: Array, ends: list[Any], random: np.random.Generator, turn: int) -> Array:
    """Return the values with the ends in places chosen by chance, as far as there is room."""
    if values.size < len(ends):
        ends = ends[turn : turn + values.size]
    flat = values.ravel()
    if ends:
        places = random.choice(values.size, len(ends), replace=False)
        flat[places] = np.array(ends, values.dtype)
    return flat.reshape(values.shape)
