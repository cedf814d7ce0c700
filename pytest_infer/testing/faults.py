"""Faults to plant: in what an engine returns, and in the process that it runs in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from pytest_infer.engine import Array

OutputFault: TypeAlias = Callable[[dict[str, Array]], dict[str, Array]]
ProcessFault: TypeAlias = Callable[[], object]


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


def segfault() -> None:
    """Read address 0, as a broken native library does."""
    import ctypes

    ctypes.string_at(0)


def hang() -> None:
    """Wait for ever."""
    from threading import Event

    Event().wait()


def leave() -> None:
    """End the process without a word, as the kernel does when memory runs out."""
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


def _edit(output: str, change: Callable[[Array], Array]) -> OutputFault:
    def edited(outputs: dict[str, Array]) -> dict[str, Array]:
        name = output or next(iter(outputs))
        return outputs | {name: change(outputs[name])}

    return edited


def _put(values: Array, index: tuple[int, ...], value: Any) -> Array:
    changed = values.copy()
    changed[index] = value
    return changed
