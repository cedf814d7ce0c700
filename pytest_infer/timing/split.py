"""Where the time of a call goes: copies, launches, computation."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from pytest_infer.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Split:
    """Medians in ms of the parts of a call, each measured on its own; None is not measured.

    The parts overlap where a call is asynchronous, so that they do not add up to the round trip.
    """

    clock: str
    """By what the computation was read: ``cuda-event`` (the copies too), or ``monotonic``."""
    compute_ms: float
    """On the device, inputs resident; the gaps in which it waited for the host are in it."""
    enqueue_ms: float | None = None
    """On the host, until the call returned."""
    h2d_pinned_ms: float | None = None
    """Inputs to the device, from pinned host memory."""
    h2d_pageable_ms: float | None = None
    d2h_pinned_ms: float | None = None
    """Outputs to the host, into pinned memory."""
    d2h_pageable_ms: float | None = None
    round_trip_ms: float | None = None
    """From arrays on the host to arrays on the host, as ``engine(feeds)``, by the host's clock."""


def split_from_durations(durations_ns: Mapping[str, Sequence[int]]) -> Split:
    """Return the medians of what a host measured: durations by part, ``compute`` by its clock."""
    clock = next(name for name in ("cuda-event", "monotonic") if name in durations_ns)
    medians = {name: median(values) / NS_PER_MS for name, values in durations_ns.items()}
    compute_ms = medians.pop(clock)
    return Split(clock, compute_ms, **{f"{name}_ms": value for name, value in medians.items()})
