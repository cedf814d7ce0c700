"""Faults of engines that remember: earlier calls, other runners, other processes."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING

from pytest_infer.testing.faults import MemoryFault, OutputFault, ShapeFault, edit, put

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.arrays import Array, Arrays


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
    """Plant a fault at every n-th call of a runner, as a race or a full buffer does."""

    def make() -> ShapeFault:
        calls = count(1)

        def faulty(feeds: Arrays, outputs: dict[str, Array]) -> dict[str, Array]:
            del feeds
            return outputs if next(calls) % number else fault(outputs)

        return faulty

    return make


def stale_every(number: int) -> MemoryFault:
    """Return what the call before put out, at every n-th call of a runner."""

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


def stale_shape() -> OutputFault:
    """Leave the rows unwritten by which a batch is larger than the one before: an old binding."""
    sizes: list[int] = []

    def unwritten(outputs: dict[str, Array]) -> dict[str, Array]:
        rows = len(next(iter(outputs.values())))
        bound = sizes[-1] if sizes else rows
        sizes.append(rows)
        return {
            name: put(values, slice(bound, None), 0) if rows > bound else values
            for name, values in outputs.items()
        }

    return unwritten


def scale_by_process(rate: float, output: str = "") -> OutputFault:
    """Multiply by what only this process has: an uninitialised value."""
    return edit(output, lambda values: values * values.dtype.type(1 + rate * (os.getpid() % 97)))


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


def kept(is_smaller: Callable[[tuple[int, ...], tuple[int, ...]], bool]) -> ShapeFault:
    """Return the first row of the call before if it ``is_smaller`` than this one: a late copy."""
    before: list[tuple[tuple[int, ...], dict[str, Array]]] = []

    def late(feeds: Arrays, outputs: dict[str, Array]) -> dict[str, Array]:
        shape = next(iter(feeds.values())).shape
        last = before[-1] if before else (shape, outputs)
        before[:] = [(shape, outputs)]
        if not is_smaller(last[0], shape):
            return outputs
        return {name: put(values, 0, last[1][name][0]) for name, values in outputs.items()}

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
            return {name: put(values, 0, before[name][0]) for name, values in outputs.items()}

        return mixed

    return make
