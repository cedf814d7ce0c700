"""Faults that depend on what an engine is fed, or that change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.testing.faults import FeedFault, OutputFault, ShapeFault


def where(condition: Callable[[Arrays], bool], fault: OutputFault) -> ShapeFault:
    """Plant a fault for the feeds of which ``condition`` is true."""

    def edited(feeds: Arrays, outputs: dict[str, Array]) -> dict[str, Array]:
        return fault(outputs) if condition(feeds) else outputs

    return edited


def size(axis: int, is_bad: Callable[[int], bool]) -> Callable[[Arrays], bool]:
    """Return the condition that the first input's size along an axis is bad."""
    return lambda feeds: is_bad(next(iter(feeds.values())).shape[axis])


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
