"""The terms on which a device's cases are gated: what is worth stopping for, and what spreads."""

from __future__ import annotations

from dataclasses import dataclass


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


SHARED_CPU = Terms(
    "CPU of at most 4 cores",
    delta=0.025,
    spread=0.012,
    duet_delta=0.015,
    duet_spread=0.007,
    engine_delta=0.10,
)
CPU = Terms("CPU", delta=0.02, spread=0.01, duet_delta=0.015, duet_spread=0.007, engine_delta=0.10)
GPU = Terms(
    "GPU", delta=0.007, spread=0.002, duet_delta=0.007, duet_spread=0.002, engine_delta=0.02
)
OTHER_GPU = Terms(
    "GPU, not the one of the stored measurements",
    delta=0.02,
    spread=0.008,
    duet_delta=0.007,
    duet_spread=0.002,
    engine_delta=0.05,
)
"""Two GPUs of one model have other multiprocessors switched off, and suit a net more or less."""

LAUNCH_BOUND = Terms(
    "GPU, bound by launches",
    delta=0.10,
    spread=0.05,
    duet_delta=0.05,
    duet_spread=0.02,
    engine_delta=0.40,
)
"""The host's speed counts, and it is another one in each process: by a third for all nets alike."""
