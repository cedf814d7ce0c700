"""The terms on which a device's cases are gated: what is worth stopping for, and what spreads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot


@dataclass(frozen=True)
class Terms:
    """How large a regression is worth stopping for, and how far measurements spread by nature.

    Shares of a duration; a spread is the standard deviation between processes where nothing has
    changed.
    """

    name: str
    delta: float
    """The least slowdown against the reference net that fails."""
    spread: float
    duet_delta: float
    """The least slowdown against the stored artefact in the same process that fails."""
    duet_spread: float
    engine_delta: float
    """The least slowdown of the reference net against the fixed kernel: a slower engine."""
    is_launch_bound: bool = False
    by_kernel: bool = False
    """The fixed kernel decides, which no builder chooses, and not the reference net."""
    looks: int = 3
    """Usable measurements behind a failure against stored ones."""
    drops_outliers: bool = False
    """Of several processes those count that are near their median: now and then one differs."""


SHARED_CPU = Terms(
    "CPU of at most 4 cores",
    delta=0.025,
    spread=0.025,
    duet_delta=0.015,
    duet_spread=0.007,
    engine_delta=0.10,
    looks=6,
)
"""Neighbours slow the reference net and the engine by different shares, for minutes."""

CPU = Terms("CPU", delta=0.02, spread=0.01, duet_delta=0.015, duet_spread=0.007, engine_delta=0.10)
GPU = Terms(
    "GPU",
    delta=0.007,
    spread=0.002,
    duet_delta=0.007,
    duet_spread=0.002,
    engine_delta=0.02,
    by_kernel=True,
    drops_outliers=True,
)
"""Some processes run a net 4.5 to 6.4 % faster than those before and after them."""

OTHER_GPU = Terms(
    "GPU, not the one of the stored measurements",
    delta=0.02,
    spread=0.008,
    duet_delta=0.007,
    duet_spread=0.002,
    engine_delta=0.05,
    drops_outliers=True,
)
"""Two GPUs of one model have other multiprocessors switched off, and suit a net more or less.

What two nets of one engine have in common is taken out by the reference net, unless its builder
chose that net's kernels on the day: then the fixed kernel decides.
"""

OTHER_CLOCK = replace(OTHER_GPU, name="GPU, at another clock than the stored measurements")
"""The fixed kernel follows the clock, and what memory bounds does not."""

LAUNCH_BOUND = Terms(
    "GPU, bound by launches",
    delta=0.10,
    spread=0.05,
    duet_delta=0.05,
    duet_spread=0.02,
    engine_delta=0.40,
    is_launch_bound=True,
)
"""The host's speed counts, and it is another one in each process: by a third for all nets alike."""

REBUILD_DELTA = 0.03
REBUILD_SPREAD = 0.01
"""What builds from the same kept timings differ by; docs/explanation/gate.md has the data."""


def with_rebuild(terms: Terms) -> Terms:
    """Return the terms for a plan that is not the stored one, of an engine that times kernels.

    Its builder may have chosen other kernels that are about as fast.
    """
    return replace(
        terms,
        name=f"{terms.name}, another plan",
        delta=max(terms.delta, REBUILD_DELTA),
        spread=hypot(terms.spread, REBUILD_SPREAD),
        duet_delta=max(terms.duet_delta, REBUILD_DELTA),
    )
