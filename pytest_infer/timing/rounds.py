"""Time several calls in rounds, in turns, and keep what was not disturbed.

This runs in the engine host, which is a fresh process. It knows neither engines nor devices: an
arm times as many calls as it is asked for, a watch says what disturbed it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from pytest_infer.units import NS_PER_S

if TYPE_CHECKING:
    from random import Random

Arm: TypeAlias = "Callable[[int], Sequence[int]]"
"""Make that number of calls, and return each one's duration in ns."""


class Watch(Protocol):
    """What can see that something else used the device."""

    def mark(self) -> Any:
        """Return the state before a round."""
        ...

    def disturbance(self, since: Any, wall_ns: int) -> str | None:
        """Return the reason why the round since the mark is no good, or None."""
        ...


@dataclass(frozen=True)
class Plan:
    """How much is measured; durations in seconds."""

    block_s: float
    """A block of calls of one arm lasts at least this long, ..."""
    block_calls: int
    """... and has at least this number of calls, after `DISCARDED` that do not count."""
    clean_rounds: int = 12
    """It is enough after this number of rounds that nothing disturbed, ..."""
    clean_s: float = 0.0
    """... which lasted this long together."""
    most_s: float = 20.0
    """After this time no more rounds begin, once there are `LEAST_ROUNDS`."""
    window_s: float = 0.1
    """Two windows of at most `WINDOW_CALLS` calls whose medians differ by `STEADY` are warm."""
    least_warmup_s: float = 0.2
    most_warmup_s: float = 3.0
    """Per arm."""
    is_watched: bool = True
    """A round that something disturbed does not count; else rounds are taken as they come."""

    def of_rounds(self, rounds: int) -> Plan:
        """Return the plan of that number of rounds as they come, without a warm-up."""
        return replace(
            self,
            clean_rounds=rounds,
            clean_s=0,
            least_warmup_s=0,
            most_warmup_s=0,
            is_watched=False,
        )


LEAST_ROUNDS = 5
"""Fewer decide nothing, so a slow engine has as many, however long they take."""

WINDOW_CALLS = 10
STEADY = 0.01

DISCARDED = 2
"""The first calls of a block of several find the caches full of what other arms left there."""

CPU_PLAN = Plan(block_s=0.002, block_calls=1, clean_s=1.5)
"""A shared CPU changes its speed within a second: arms take turns call by call, many times."""

CPU_DUET_S = 3.0
"""The same with two builds of one net: after twice as long, pairs of calls spread a third less."""

GPU_PLAN = Plan(block_s=0.02, block_calls=5)
"""A GPU keeps its clock, and wants to be kept busy."""


@dataclass(frozen=True)
class Round:
    """One block of every arm: the median duration of its calls in ns, and what disturbed them."""

    medians_ns: Mapping[str, float]
    disturbance: str = ""


def time_rounds(
    arms: Mapping[str, Arm],
    watch: Watch,
    plan: Plan,
    order: Random,
    now_ns: Callable[[], int] = perf_counter_ns,
) -> tuple[Round, ...]:
    """Warm up every arm, then time all of them in rounds, each in a random ``order``.

    It ends when there are enough rounds that nothing disturbed, or the time is over and there are
    `LEAST_ROUNDS`, disturbed or not.
    """
    calls = {name: block_calls(_warm_up(arm, plan, now_ns), plan) for name, arm in arms.items()}
    start = now_ns()
    rounds: list[Round] = []
    clean, clean_ns = 0, 0
    while (clean < plan.clean_rounds or clean_ns < plan.clean_s * NS_PER_S) and (
        len(rounds) < LEAST_ROUNDS or now_ns() - start < plan.most_s * NS_PER_S
    ):
        began_ns = now_ns()
        rounds.append(_round(arms, calls, watch if plan.is_watched else None, order, now_ns))
        if not rounds[-1].disturbance:
            clean += 1
            clean_ns += now_ns() - began_ns
    return tuple(rounds)


def _warm_up(arm: Arm, plan: Plan, now_ns: Callable[[], int]) -> float:
    """Call until two windows agree, within the time that a plan allows; return a call's ns."""
    began = now_ns()
    arm(1)  # loads, allocates, chooses kernels: no measure of anything
    call_ns, before = float(arm(1)[0]), 0.0
    while True:
        elapsed_s = (now_ns() - began) / NS_PER_S
        is_steady = before > 0 and abs(call_ns / before - 1) <= STEADY
        if (is_steady and elapsed_s >= plan.least_warmup_s) or elapsed_s >= plan.most_warmup_s:
            return call_ns
        fitting = ceil(plan.window_s * NS_PER_S / call_ns)
        window = arm(max(1, min(WINDOW_CALLS, fitting)))
        before, call_ns = call_ns, float(median(window))


def _round(
    arms: Mapping[str, Arm],
    calls: Mapping[str, tuple[int, int]],
    watch: Watch | None,
    order: Random,
    now_ns: Callable[[], int],
) -> Round:
    medians = {}
    mark, began = watch and watch.mark(), now_ns()
    for name in order.sample(list(arms), len(arms)):
        discarded, timed = calls[name]
        if discarded:
            arms[name](discarded)
        medians[name] = float(median(arms[name](timed)))
    disturbance = watch and watch.disturbance(mark, now_ns() - began)
    return Round({name: medians[name] for name in arms}, disturbance or "")


def block_calls(call_ns: float, plan: Plan) -> tuple[int, int]:
    """Return how many calls of a block are discarded, and how many are timed."""
    timed = max(plan.block_calls, ceil(plan.block_s * NS_PER_S / call_ns))
    return (DISCARDED if timed > 1 else 0), timed
