"""Faults to plant in what an engine returns: each call for itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from pytest_infer.arrays import Array, Arrays

OutputFault: TypeAlias = Callable[[dict[str, Array]], dict[str, Array]]
FeedFault: TypeAlias = Callable[[Arrays], Arrays]
ShapeFault: TypeAlias = Callable[[Arrays, dict[str, Array]], dict[str, Array]]
MemoryFault: TypeAlias = Callable[[], ShapeFault]
"""Makes a fault that remembers a runner's calls."""


def scale(factor: float, output: str = "") -> OutputFault:
    """Multiply an output (the first unless named) by ``factor``."""
    return edit(output, lambda values: values * values.dtype.type(factor))


def add(amount: float, index: tuple[int, ...], output: str = "") -> OutputFault:
    """Add ``amount`` to one element."""
    return edit(output, lambda values: put(values, index, values[index] + amount))


def fill_nan(index: tuple[int, ...], output: str = "") -> OutputFault:
    """Replace one element by NaN."""
    return edit(output, lambda values: put(values, index, float("nan")))


def swap(row: int, first: int, second: int, output: str = "") -> OutputFault:
    """Exchange two elements of a row, such as the logits of two classes."""

    def exchanged(values: Array) -> Array:
        changed = values.copy()
        changed[row, [first, second]] = changed[row, [second, first]]
        return changed

    return edit(output, exchanged)


def shift(amount: float, output: str = "") -> OutputFault:
    """Add ``amount`` to every element."""
    return edit(output, lambda values: values + values.dtype.type(amount))


def scale_channel(factor: float, channel: int, output: str = "") -> OutputFault:
    """Multiply one channel, the last dimension's, of every row."""
    return edit(output, lambda values: put(values, (..., channel), values[..., channel] * factor))


def change_channels(
    function: Callable[[Array], Array], channels: Sequence[int], output: str = "", *, axis: int = 1
) -> OutputFault:
    """Plant whatever ``function`` makes of some slices along an axis: scores beside boxes."""

    def edited(values: Array) -> Array:
        place: Any = (*[slice(None)] * (axis % values.ndim), list(channels))
        return put(values, place, function(values[place]))

    return edit(output, edited)


def swap_rows(first: int, second: int, output: str = "") -> OutputFault:
    """Exchange two rows of the batch."""
    return edit(output, lambda values: put(values, [first, second], values[[second, first]]))


def copy_row(source: int, target: int, output: str = "") -> OutputFault:
    """Give a row of the batch the values of another: what a buffer still held."""
    return edit(output, lambda values: put(values, target, values[source]))


def fill(value: float, index: Any, output: str = "") -> OutputFault:
    """Fill a part of an output, such as the last row, which nothing was written to."""
    return edit(output, lambda values: put(values, index, value))


def roll(steps: int, output: str = "") -> OutputFault:
    """Move every class by ``steps``, as a background class that one side lacks does."""
    return edit(output, lambda values: np.roll(values, steps, axis=-1))


def clip(low: float, high: float, output: str = "") -> OutputFault:
    """Saturate."""
    return edit(output, lambda values: np.clip(values, low, high))


def softmax(output: str = "") -> OutputFault:
    """Put out probabilities where logits are wanted."""

    def normalised(values: Array) -> Array:
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True), values.dtype)

    return edit(output, normalised)


def store_as(kind: str, output: str = "") -> OutputFault:
    """Round every element to ``fp16`` or ``bf16``, and return it in the type it had."""
    return edit(output, lambda values: rounded(values, kind))


def rounded(values: Array, kind: str) -> Array:
    """Return values as ``fp16`` or ``bf16`` would hold them, in the type they had."""
    if kind == "fp16":
        return values.astype(np.float16).astype(values.dtype)
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    even = (bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
    return even.astype(np.uint32).view(np.float32).astype(values.dtype)


def permute(order: Sequence[int], output: str = "", *, axis: int = 1) -> OutputFault:
    """Put one output's queries, or another axis, into another order."""
    return edit(output, lambda values: np.take(values, order, axis=axis))


def transpose(output: str = "") -> OutputFault:
    """Exchange the first two axes."""
    return edit(output, lambda values: values.swapaxes(0, 1))


def as_corners(output: str = "", *, axis: int = -1) -> OutputFault:
    """Put out boxes as corners where centre, width and height are wanted: the first four values."""

    def changed(values: Array) -> Array:
        moved = np.moveaxis(values, axis, -1).copy()
        centre, half = moved[..., :2].copy(), moved[..., 2:4] / 2
        moved[..., :2], moved[..., 2:4] = centre - half, centre + half
        return np.ascontiguousarray(np.moveaxis(moved, -1, axis))

    return edit(output, changed)


def after(first: OutputFault, *others: OutputFault) -> OutputFault:
    """Plant several faults, one after the other."""

    def edited(outputs: dict[str, Array]) -> dict[str, Array]:
        for fault in (first, *others):
            outputs = fault(outputs)
        return outputs

    return edited


def change(function: Callable[[Array], Array], output: str = "") -> OutputFault:
    """Plant whatever ``function`` makes of an output."""
    return edit(output, function)


def best_swapped(logits: Array) -> Array:
    """Return one row of logits with its two largest exchanged."""
    first, second = np.argsort(-logits)[:2]
    return put(logits, [first, second], logits[[second, first]])


def return_as(dtype: str, output: str = "") -> OutputFault:
    """Return an output in another dtype."""
    return edit(output, lambda values: values.astype(dtype))


def scale_by_row(rate: float, output: str = "") -> OutputFault:
    """Multiply each row by more than the one before."""

    def scaled(values: Array) -> Array:
        factors = 1 + rate * np.arange(len(values), dtype=values.dtype)
        return values * factors.reshape(-1, *[1] * (values.ndim - 1))

    return edit(output, scaled)


def mix_rows(rate: float, output: str = "") -> OutputFault:
    """Add a part of the batch's mean to every row."""
    return edit(output, lambda values: values + values.dtype.type(rate) * values.mean(axis=0))


def edit(output: str, change: Callable[[Array], Array]) -> OutputFault:
    """Return the fault that changes one output, the first unless named."""

    def edited(outputs: dict[str, Array]) -> dict[str, Array]:
        name = output or next(iter(outputs))
        return outputs | {name: change(outputs[name])}

    return edited


def put(values: Array, index: Any, value: Any) -> Array:
    """Return a copy with ``value`` in one place."""
    changed = values.copy()
    changed[index] = value
    return changed
