"""Whether an engine became slower in another environment: pairs of processes, in the same seconds.

Each pair gives one figure, ln(new / old). A comparison in the same seconds needs no reference net.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from pytest_infer.judges.gate import (
    FALSE_ALARM,
    PRIOR_WEIGHT,
    THROTTLED,
    pooled_spread,
    quantile,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_infer.timing.pair import Pair

FIRST_PAIRS = 3
"""Usable pairs after which a calm case is decided."""

MOST_PAIRS = 6
"""Usable pairs behind every other verdict."""

MOST_TRIES = 9

CALM_SHARE = 0.8
"""Of delta: if the first pairs' mean shows less, they are enough."""

Outcome = Literal["unchanged", "regressed", "improved", "noisy", "throttled", "spread"]


@dataclass(frozen=True)
class PairTerms:
    """How large a slowdown is worth stopping for, and how far pairs spread where nothing differs.

    Shares of a duration; the spread is a standard deviation.
    """

    name: str
    delta: float
    spread: float
    most: float
    """A slowdown that must show: pairs that spread too far for it decide nothing."""


CPU_PAIRS = PairTerms("pairs on a CPU", delta=0.02, spread=0.012, most=0.05)
GPU_PAIRS = PairTerms("pairs on a GPU", delta=0.02, spread=0.008, most=0.05)
"""As stored measurements of another GPU of the model: no pair has been measured on one yet."""

LAUNCH_BOUND_PAIRS = PairTerms(
    "pairs on a GPU, bound by launches", delta=0.10, spread=0.05, most=0.25
)


@dataclass(frozen=True)
class PairDecision:
    """What the pairs say, in shares: 0.05 is 5 % slower."""

    outcome: Outcome
    change: float
    limit: float
    """More than delta, and more than chance explains."""
    spread: float
    """Pooled standard deviation of one pair."""


def decide(pairs: Sequence[Pair], terms: PairTerms, *, cases: int = 1) -> PairDecision | None:
    """Return the decision, None if another pair is needed.

    After `FIRST_PAIRS` usable ones, a mean of less than `CALM_SHARE` of delta either way is
    ``unchanged``. Otherwise `MOST_PAIRS` are pooled: the case has regressed if their mean is slower
    by more than delta and by more than chance explains (one-sided t, its error shared out among
    the run's ``cases``). Where chance explains more than ``terms.most``, nothing is decided.
    """
    changes = [each.change for each in pairs if each.is_usable]
    is_over = len(pairs) >= MOST_TRIES
    if len(changes) < FIRST_PAIRS:
        return _undecided(pairs, terms) if is_over else None
    found = _compared(changes, terms, cases)
    is_calm = abs(fmean(changes)) <= log(1 + terms.delta) * CALM_SHARE
    if is_calm and len(changes) == FIRST_PAIRS and found.limit <= terms.most:
        return found
    if len(changes) < MOST_PAIRS and not is_over:
        return None
    return found


def pairs_until_decided(
    measure: Callable[[], Pair], terms_of: Callable[[Pair], PairTerms], *, cases: int
) -> tuple[PairDecision, list[Pair], PairTerms]:
    """Return the decision, every pair that was needed, and the terms that the first one shows."""
    pairs = [measure()]
    terms = terms_of(pairs[0])
    while (decision := decide(pairs, terms, cases=cases)) is None:
        pairs.append(measure())
    return decision, pairs, terms


def _compared(changes: Sequence[float], terms: PairTerms, cases: int) -> PairDecision:
    spread = pooled_spread([changes], terms.spread)
    freedom = PRIOR_WEIGHT + len(changes) - 1
    chance = quantile(FALSE_ALARM / cases, freedom) * spread / sqrt(len(changes))
    limit, change = max(log(1 + terms.delta), chance), fmean(changes)
    outcome: Outcome = "unchanged"
    if change > limit:
        outcome = "regressed"
    elif change < -limit:
        outcome = "improved"
    elif exp(limit) - 1 > terms.most:
        outcome = "spread"
    return PairDecision(outcome, exp(change) - 1, exp(limit) - 1, spread)


def _undecided(pairs: Sequence[Pair], terms: PairTerms) -> PairDecision:
    dropped = {reason for each in pairs for reason in each.disturbed}
    outcome: Outcome = "throttled" if dropped & set(THROTTLED) else "noisy"
    nan = float("nan")
    return PairDecision(outcome, nan, nan, terms.spread)
