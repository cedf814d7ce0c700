"""Many calls in a row with changing feeds: each must give the first answer to its feeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_infer.arrays import Array, Arrays


CALLS = 32
"""What goes wrong at every 20th call is among them."""

MOST_CALLS, FAST_S = 320, 1.0
"""A fast engine is called more often, for this long at most."""

LEAST_CALLS, SLOW_S = 8, 10.0
"""An engine that needs longer than this for the `CALLS` is called less often."""


@dataclass(frozen=True)
class Odd:
    """An answer that is not the first one to the same feeds."""

    call: int
    """Counted from 1."""
    feeds: int
    """Counted from 1."""
    outputs: Mapping[str, Any]


@dataclass(frozen=True)
class Burst:
    """What a burst of calls gave."""

    calls: int
    """Fewer than `CALLS` where they took too long."""
    odd: int = 0
    """How many gave another answer, if only by a bit."""
    worst: Odd | None = None
    """The one that is farthest off; the first of equals."""


def run_burst(
    infer: Callable[[Arrays], Arrays],
    feeds: Sequence[Arrays],
    first: Sequence[Arrays],
    clock: Callable[[], float] = perf_counter,
) -> Burst:
    """Return what calls of ``infer`` give beside the ``first`` answers to the same ``feeds``.

    No two calls in a row have the same feeds.
    """
    calls, odd, farthest, worst = 0, 0, 0.0, None
    began = clock()
    for number in _order(len(feeds)):
        if calls >= _calls_within(clock() - began):
            break
        outputs = infer(feeds[number])
        calls += 1
        distance = distance_of(outputs, first[number])
        odd += distance > 0
        if distance > farthest:
            farthest, worst = distance, Odd(calls, number + 1, outputs)
    return Burst(calls, odd, worst)


def _calls_within(elapsed_s: float) -> int:
    if elapsed_s < FAST_S:
        return MOST_CALLS
    return CALLS if elapsed_s < SLOW_S else LEAST_CALLS


def _order(feeds: int) -> Iterator[int]:
    """Yield numbers of feeds for ever, never one twice in a row."""
    random = Random(0)  # noqa: S311 - an order, not a secret
    number = feeds - 1
    while True:
        number = (number + random.randint(1, feeds - 1)) % feeds
        yield number


def distance_of(outputs: Arrays, first: Arrays) -> float:
    """Return the largest difference over the largest finite magnitude; 0 only for equal bits."""
    if outputs.keys() != first.keys():
        return float("inf")
    return max((_apart(outputs[name], first[name]) for name in first), default=0.0)


def _apart(actual: Array, expected: Array) -> float:
    if (actual.shape, actual.dtype) != (expected.shape, expected.dtype):
        return float("inf")
    if np.array_equal(actual, expected, equal_nan=actual.dtype.kind == "f"):
        return 0.0
    left, right = actual.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(right)
    are_alike = np.array_equal(np.isfinite(left), finite)
    if not are_alike or not np.array_equal(left[~finite], right[~finite], equal_nan=True):
        return float("inf")
    size = float(np.max(np.abs(right[finite]), initial=0.0)) or 1.0
    largest = float(np.max(np.abs(left[finite] - right[finite]), initial=0.0))
    return largest / size or float(np.finfo(np.float64).tiny)
