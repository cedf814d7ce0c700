"""What a history says: a slow creep, or a step, and never a single run that stands out.

A creep is Kendall's rank correlation with time; its size is the Theil-Sen slope, the median of the
slopes between all pairs. A step is where two medians explain the runs best. None of them moves by
one run alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log
from statistics import median
from typing import TYPE_CHECKING, Literal

from pytest_infer.reports.run_info import SHORT_COMMIT
from pytest_infer.stored_gate import KERNEL, NET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.reports.history import Moment

CHANCE = 0.01
"""Of a creep that is none, among runs that only differ by chance."""

LEAST_CHANGE = 0.03
"""A share of the duration; less is not worth a line."""

LEAST_RUNS = 6
LEAST_SIDE = 4
"""Runs before and after a step: fewer may stand out by chance."""

STEP_SPREADS = 6.0
"""How many times the runs' own spread a step is at least."""

TIME = "p50_ms"
"""The figure of each run that was timed."""

RATIOS = {"over_kernel": KERNEL, "theta": NET}
"""The gate's figures that are logarithms of a ratio, the one that decides first, and to what."""

MAD_PER_SIGMA = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""


@dataclass(frozen=True)
class Drift:
    """How a case has become slower or faster."""

    kind: Literal["creep", "step"]
    change: float
    """As a share: 0.05 is 5 % slower, over all runs or at the step."""
    run: int
    """The first run after a step, counted from 0; of a creep 0."""
    figure: str


def drift_of(moments: Sequence[Moment]) -> Drift | None:
    """Return what became of a case's speed over its runs, None if nothing is told apart.

    Runs that were not timed, as they failed, count for nothing. Where all others were gated, their
    ratio to the fixed kernel decides if a GPU bound all of them, which no builder chooses, and else
    that to the reference net; elsewhere the median duration.
    """
    timed = {number: each.figures for number, each in enumerate(moments) if TIME in each.figures}
    gated = (each for each in RATIOS if all(each in figures for figures in timed.values()))
    figure = next(gated, TIME)
    values = [figures[figure] for figures in timed.values()]
    if len(values) < LEAST_RUNS or (figure == TIME and min(values) <= 0):
        return None
    logs = values if figure in RATIOS else [log(value) for value in values]
    found = [each for each in (_creep(logs, figure), _step(logs, figure)) if each]
    if not found:
        return None
    _, drift = min(found, key=lambda each: each[0])
    return replace(drift, run=list(timed)[drift.run])


def _creep(logs: Sequence[float], figure: str) -> tuple[float, Drift] | None:
    """Return how far the runs are from the line in all, and the creep; None if there is none."""
    from scipy.stats import kendalltau, theilslopes

    turns = range(len(logs))
    chance = float(kendalltau(turns, logs).pvalue)
    slope, intercept, *_ = map(float, theilslopes(logs, turns))
    change = exp(slope * (len(logs) - 1)) - 1
    if not chance < CHANCE or abs(change) < LEAST_CHANGE:  # the chance of equal runs is NaN
        return None
    off = sum(abs(value - intercept - slope * turn) for turn, value in enumerate(logs))
    return off, Drift("creep", change, 0, figure)


def _step(logs: Sequence[float], figure: str) -> tuple[float, Drift] | None:
    """Return how far the runs are from both medians in all, and the step; None if there is none."""
    at = min(range(1, len(logs)), key=lambda split: sum(_off(logs, split)))
    if (
        not LEAST_SIDE <= at <= len(logs) - LEAST_SIDE
    ):  # it may be a step, of which too few are there
        return None
    step = median(logs[at:]) - median(logs[:at])
    off, change = _off(logs, at), exp(step) - 1
    is_small = abs(step) < STEP_SPREADS * MAD_PER_SIGMA * median(off)
    if is_small or abs(change) < LEAST_CHANGE:
        return None
    return sum(off), Drift("step", change, at, figure)


def _off(logs: Sequence[float], split: int) -> list[float]:
    """Return how far each run is from the median of its side of a split."""
    sides = (logs[:split], logs[split:])
    return [abs(value - median(side)) for side in sides for value in side]


def words_of(drift: Drift | None, moments: Sequence[Moment]) -> str:
    """Return in words what became of a case; empty where nothing is told apart."""
    if drift is None:
        return ""
    way = "slower" if drift.change > 0 else "faster"
    size = f"{abs(drift.change):.1%} {way}"
    by = f", by the ratio to {RATIOS[drift.figure]}" if drift.figure in RATIOS else ""
    if drift.kind == "creep":
        timed = sum(TIME in each.figures for each in moments)
        return f"creeps: {size} over {timed} runs{by}"
    first = moments[drift.run]
    return f"{size} since {first.started}, commit {first.commit[:SHORT_COMMIT] or 'unknown'}{by}"
