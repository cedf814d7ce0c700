"""What one pair of fresh processes says of one engine in two environments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log
from statistics import median

from pytest_infer.timing.look import Look
from pytest_infer.timing.rounds import GPU_PLAN, LEAST_ROUNDS, Plan, Round
from pytest_infer.units import NS_PER_MS

NEW, OLD = "new", "old"
"""The arms: the environment of the run, and the other one."""

CPU_PAIR_PLAN = Plan(block_s=0.01, block_calls=1, clean_s=2.0, most_s=6.0)
"""A turn crosses to another process, so it is longer than where all arms live in one.

What disturbs a round makes its pair measure longer, and the round counts: a neighbour on a CPU
slows both arms, and the median forgives what hits only one.
"""

GPU_PAIR_PLAN = GPU_PLAN
"""A disturbed round does not count: its arms ran at different clocks."""


@dataclass(frozen=True)
class Pair:
    """Both processes' figures over the rounds that nothing disturbed."""

    change: float
    """The median of the rounds' ln(new / old); NaN if no round counts."""
    new_ms: float
    old_ms: float
    kept: int
    """Rounds that count."""
    disturbed: Mapping[str, int] = field(default_factory=dict)
    """Rounds that something disturbed, by reason; on a GPU they do not count."""
    clock: str = "monotonic"
    """By which both arms were timed."""
    enqueue_share: float | None = None
    """How much of a call's time on the GPU the host needed to launch it; None on a CPU."""
    resources: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """What each arm takes besides time, by `pytest_infer.hosts.resources.resources_of`."""
    looks: Sequence[Look] = field(default=(), compare=False, repr=False)
    """What the timed calls of each arm put out."""
    rounds: Sequence[Round] = field(default=(), compare=False, repr=False)

    @property
    def is_usable(self) -> bool:
        """Return whether enough rounds count."""
        return self.kept >= LEAST_ROUNDS

    def told(self) -> str:
        """Return what it says, how many rounds count, and why others do not."""
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(self.disturbed.items()))
        return f"{exp(self.change) - 1:+.2%} in {self.kept} rounds" + (
            f" (disturbed: {why})" if why else ""
        )


def pair_from_rounds(
    rounds: Sequence[Round],
    *,
    clock: str = "monotonic",
    counts_disturbed: bool = True,
    enqueue_share: float | None = None,
    resources: Mapping[str, Mapping[str, float]] | None = None,
    looks: Sequence[Look] = (),
) -> Pair:
    """Return the pair that ``rounds`` make; with none that counts, its figures are NaN."""
    counted = [each for each in rounds if counts_disturbed or not each.disturbance]
    medians = [each.medians_ns for each in counted]
    nan = float("nan")
    return Pair(
        change=median(log(each[NEW] / each[OLD]) for each in medians) if medians else nan,
        new_ms=median(each[NEW] for each in medians) / NS_PER_MS if medians else nan,
        old_ms=median(each[OLD] for each in medians) / NS_PER_MS if medians else nan,
        kept=len(medians),
        disturbed=dict(Counter(each.disturbance for each in rounds if each.disturbance)),
        clock=clock,
        enqueue_share=enqueue_share,
        resources=resources or {},
        looks=looks,
        rounds=rounds,
    )
