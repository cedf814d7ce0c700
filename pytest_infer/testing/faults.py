"""Faults to plant in what an engine is fed and what it returns."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from time import sleep
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
    return _edit(output, lambda values: values * values.dtype.type(factor))


def add(amount: float, index: tuple[int, ...], output: str = "") -> OutputFault:
    """Add ``amount`` to one element."""
    return _edit(output, lambda values: _put(values, index, values[index] + amount))


def fill_nan(index: tuple[int, ...], output: str = "") -> OutputFault:
    """Replace one element by NaN."""
    return _edit(output, lambda values: _put(values, index, float("nan")))


def swap(row: int, first: int, second: int, output: str = "") -> OutputFault:
    """Exchange two elements of a row, such as the logits of two classes."""

    def exchanged(values: Array) -> Array:
        changed = values.copy()
        changed[row, [first, second]] = changed[row, [second, first]]
        return changed

    return _edit(output, exchanged)


def shift(amount: float, output: str = "") -> OutputFault:
    """Add ``amount`` to every element."""
    return _edit(output, lambda values: values + values.dtype.type(amount))


def scale_channel(factor: float, channel: int, output: str = "") -> OutputFault:
    """Multiply one channel, the last dimension's, of every row."""
    return _edit(output, lambda values: _put(values, (..., channel), values[..., channel] * factor))


def change_channels(
    function: Callable[[Array], Array], channels: Sequence[int], output: str = "", *, axis: int = 1
) -> OutputFault:
    """Plant whatever ``function`` makes of some slices along an axis: scores beside boxes."""

    def edited(values: Array) -> Array:
        place: Any = (*[slice(None)] * (axis % values.ndim), list(channels))
        return _put(values, place, function(values[place]))

    return _edit(output, edited)


def swap_rows(first: int, second: int, output: str = "") -> OutputFault:
    """Exchange two rows of the batch."""
    return _edit(output, lambda values: _put(values, [first, second], values[[second, first]]))


def copy_row(source: int, target: int, output: str = "") -> OutputFault:
    """Give a row of the batch the values of another: what a buffer still held."""
    return _edit(output, lambda values: _put(values, target, values[source]))


def fill(value: float, index: Any, output: str = "") -> OutputFault:
    """Fill a part of an output, such as the last row, which nothing was written to."""
    return _edit(output, lambda values: _put(values, index, value))


def roll(steps: int, output: str = "") -> OutputFault:
    """Move every class by ``steps``, as a background class that one side lacks does."""
    return _edit(output, lambda values: np.roll(values, steps, axis=-1))


def clip(low: float, high: float, output: str = "") -> OutputFault:
    """Saturate."""
    return _edit(output, lambda values: np.clip(values, low, high))


def softmax(output: str = "") -> OutputFault:
    """Put out probabilities where logits are wanted."""

    def normalised(values: Array) -> Array:
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True), values.dtype)

    return _edit(output, normalised)


def store_as(kind: str, output: str = "") -> OutputFault:
    """Round every element to ``fp16`` or ``bf16``, and return it in the type it had."""
    return _edit(output, lambda values: rounded(values, kind))


def rounded(values: Array, kind: str) -> Array:
    """Return values as ``fp16`` or ``bf16`` would hold them, in the type they had."""
    if kind == "fp16":
        return values.astype(np.float16).astype(values.dtype)
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    even = (bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
    return even.astype(np.uint32).view(np.float32).astype(values.dtype)


def permute(order: Sequence[int], output: str = "", *, axis: int = 1) -> OutputFault:
    """Put one output's queries, or another axis, into another order."""
    return _edit(output, lambda values: np.take(values, order, axis=axis))


def transpose(output: str = "") -> OutputFault:
    """Exchange the first two axes."""
    return _edit(output, lambda values: values.swapaxes(0, 1))


def after(first: OutputFault, *others: OutputFault) -> OutputFault:
    """Plant several faults, one after the other."""

    def edited(outputs: dict[str, Array]) -> dict[str, Array]:
        for fault in (first, *others):
            outputs = fault(outputs)
        return outputs

    return edited


def change(function: Callable[[Array], Array], output: str = "") -> OutputFault:
    """Plant whatever ``function`` makes of an output."""
    return _edit(output, function)


def drift(rate: float) -> OutputFault:
    """Multiply the outputs of each call by more: state that a call leaves behind."""
    calls = count()

    def drifted(outputs: dict[str, Array]) -> dict[str, Array]:
        factor = 1 + rate * next(calls)
        return {name: values * values.dtype.type(factor) for name, values in outputs.items()}

    return drifted


def stale() -> OutputFault:
    """Return what the call before put out, as far as it has the same rows: a late copy."""
    before: dict[str, Array] = {}

    def late(outputs: dict[str, Array]) -> dict[str, Array]:
        rows = {name: values.copy() for name, values in outputs.items()}
        for name, values in before.items():
            shared = min(len(values), len(rows[name]))
            rows[name][:shared] = values[:shared]
        before.update(outputs)
        return rows

    return late


def every(number: int, fault: OutputFault) -> MemoryFault:
    """Plant a fault at every so many-th call of a runner, as a race or a full buffer does."""

    def make() -> ShapeFault:
        calls = count(1)

        def faulty(feeds: Arrays, outputs: dict[str, Array]) -> dict[str, Array]:
            del feeds
            return outputs if next(calls) % number else fault(outputs)

        return faulty

    return make


def stale_every(number: int) -> MemoryFault:
    """Return what the call before put out, at every so many-th call of a runner."""

    def make() -> ShapeFault:
        calls = count(1)
        before: dict[str, Array] = {}

        def late(feeds: Arrays, outputs: dict[str, Array]) -> dict[str, Array]:
            del feeds
            last = before or outputs
            is_late = next(calls) % number == 0
            late_ones = dict(last) if is_late else outputs
            before.update(outputs)
            return late_ones

        return late

    return make


def in_nth_row(number: int, change: Callable[[Array], Array], output: str = "") -> MemoryFault:
    """Plant what ``change`` makes of a row for one input only: the n-th different row ever fed."""

    def make() -> ShapeFault:
        seen: list[bytes] = []

        def faulty(feeds: Arrays, outputs: dict[str, Array]) -> dict[str, Array]:
            rows = [row.tobytes() for row in next(iter(feeds.values()))]
            seen.extend(row for row in dict.fromkeys(rows) if row not in seen)
            name = output or next(iter(outputs))
            values = outputs[name].copy()
            for place, row in enumerate(rows):
                if seen.index(row) == number - 1:
                    values[place] = change(values[place])
            return outputs | {name: values}

        return faulty

    return make


def best_swapped(logits: Array) -> Array:
    """Return one row of logits with its two largest exchanged."""
    first, second = np.argsort(-logits)[:2]
    return _put(logits, [first, second], logits[[second, first]])


def return_as(dtype: str, output: str = "") -> OutputFault:
    """Return an output in another dtype."""
    return _edit(output, lambda values: values.astype(dtype))


def stale_shape() -> OutputFault:
    """Leave the rows unwritten by which a batch is larger than the one before: an old binding."""
    sizes: list[int] = []

    def unwritten(outputs: dict[str, Array]) -> dict[str, Array]:
        rows = len(next(iter(outputs.values())))
        bound = sizes[-1] if sizes else rows
        sizes.append(rows)
        return {
            name: _put(values, slice(bound, None), 0) if rows > bound else values
            for name, values in outputs.items()
        }

    return unwritten


def scale_by_row(rate: float, output: str = "") -> OutputFault:
    """Multiply each row by more than the one before."""

    def scaled(values: Array) -> Array:
        factors = 1 + rate * np.arange(len(values), dtype=values.dtype)
        return values * factors.reshape(-1, *[1] * (values.ndim - 1))

    return _edit(output, scaled)


def mix_rows(rate: float, output: str = "") -> OutputFault:
    """Add a part of the batch's mean to every row."""
    return _edit(output, lambda values: values + values.dtype.type(rate) * values.mean(axis=0))


def scale_by_process(rate: float, output: str = "") -> OutputFault:
    """Multiply by what only this process has: an uninitialised value."""
    return _edit(output, lambda values: values * values.dtype.type(1 + rate * (os.getpid() % 97)))


def race(path: str, wait_s: float = 1.0) -> OutputFault:
    """Put out zeros if another process is in the same call: a file that two runners share."""
    place = Path(path)

    def raced(outputs: dict[str, Array]) -> dict[str, Array]:
        own = place / str(os.getpid())
        place.mkdir(exist_ok=True)
        own.touch()
        sleep(wait_s)
        is_alone = len(list(place.iterdir())) == 1
        sleep(wait_s)
        own.unlink()
        return outputs if is_alone else {name: 0 * values for name, values in outputs.items()}

    return raced


def where(condition: Callable[[Arrays], bool], fault: OutputFault) -> ShapeFault:
    """Plant a fault for the feeds of which ``condition`` is true."""

    def edited(feeds: Arrays, outputs: dict[str, Array]) -> dict[str, Array]:
        return fault(outputs) if condition(feeds) else outputs

    return edited


def size(axis: int, is_bad: Callable[[int], bool]) -> Callable[[Arrays], bool]:
    """Return the condition that the first input's size along an axis is bad."""
    return lambda feeds: is_bad(next(iter(feeds.values())).shape[axis])


def kept(is_smaller: Callable[[tuple[int, ...], tuple[int, ...]], bool]) -> ShapeFault:
    """Return the first row of the call before if it ``is_smaller`` than this one: a late copy."""
    before: list[tuple[tuple[int, ...], dict[str, Array]]] = []

    def late(feeds: Arrays, outputs: dict[str, Array]) -> dict[str, Array]:
        shape = next(iter(feeds.values())).shape
        last = before[-1] if before else (shape, outputs)
        before[:] = [(shape, outputs)]
        if not is_smaller(last[0], shape):
            return outputs
        return {name: _put(values, 0, last[1][name][0]) for name, values in outputs.items()}

    return late


def shared_buffer() -> MemoryFault:
    """Return what makes, for each runner, the fault of one output buffer that all of them share.

    After a call of another runner, the first row is that one's still.
    """
    latest: list[tuple[object, dict[str, Array]]] = []

    def make() -> ShapeFault:
        runner = object()

        def mixed(feeds: Arrays, outputs: dict[str, Array]) -> dict[str, Array]:
            del feeds
            last, before = latest[-1] if latest else (runner, outputs)
            latest[:] = [(runner, outputs)]
            if last is runner:
                return outputs
            return {name: _put(values, 0, before[name][0]) for name, values in outputs.items()}

        return mixed

    return make


def ignore_strides(feeds: Arrays) -> Arrays:
    """Read each feed's memory from its first element on, as if it were contiguous."""
    return {name: _from_memory(feed) for name, feed in feeds.items()}


def _from_memory(feed: Array) -> Array:
    owner = feed
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    # what lies beyond the owner's memory is not read, but repeated
    return np.resize(owner.ravel(order="K"), feed.shape).astype(feed.dtype)


def saturate(limit: float) -> FeedFault:
    """Overflow in the first layer: what is larger than ``limit`` becomes infinite."""

    def overflowed(feeds: Arrays) -> Arrays:
        return {
            name: np.where(np.abs(feed) > limit, np.copysign(np.inf, feed), feed).astype(feed.dtype)
            for name, feed in feeds.items()
        }

    return overflowed


def flush(limit: float) -> FeedFault:
    """Take what is smaller than ``limit`` for zero, as a kernel without denormals does."""

    def flushed(feeds: Arrays) -> Arrays:
        return {
            name: np.where(np.abs(feed) < limit, 0, feed).astype(feed.dtype)
            for name, feed in feeds.items()
        }

    return flushed


def _edit(output: str, change: Callable[[Array], Array]) -> OutputFault:
    def edited(outputs: dict[str, Array]) -> dict[str, Array]:
        name = output or next(iter(outputs))
        return outputs | {name: change(outputs[name])}

    return edited


def _put(values: Array, index: Any, value: Any) -> Array:
    changed = values.copy()
    changed[index] = value
    return changed
