"""The latency gate: whether an engine is slower than its stored measurements say.

The unit is the measurement: one fresh process, in which the engine and a frozen reference net take
turns. ``docs/explanation/gate.md`` has the reasons, ``docs/results/gate.md`` the error rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, isfinite, log, sqrt
from statistics import fmean, median, median_low, stdev
from typing import TYPE_CHECKING, Literal

from pytest_infer.stored_gate import KERNEL, NET

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.judges.terms import Terms
    from pytest_infer.timing.measurement import Measurement

FALSE_ALARM = 0.01
"""The chance of a false failure that a run may have, over all its gated cases together."""

PRIOR_WEIGHT = 10
"""Degrees of freedom that the spread known from experiments has beside the entry's own."""

CALM_SHARE = 0.8
"""Of delta: a first look that shows less is the last one."""

OUTLYING = 3.0
"""Spreads from the median, beyond which a process is another kind of process."""

ENGINE_SPREAD = 0.25
"""How far two processes differ in the reference net, in the slowdown of it that matters."""

STORED_MEASUREMENTS = 5
LOOKS = 3
"""Usable measurements behind a decision, except where one is enough."""
SPARE_TRIES = 3
"""As many measurements may be unusable."""
MOST_TRIES = LOOKS + SPARE_TRIES

THROTTLED = ("thermal", "sw-thermal", "power-brake", "power-cap", "hw-slowdown", "clock")
"""Reasons of dropped rounds that are the device's own."""


@dataclass(frozen=True)
class Stored:
    """What a baseline holds of a case: a few measurements, each of a separate process."""

    thetas: Sequence[float]
    rhos: Sequence[float]
    engine_ms: Sequence[float] = ()
    """What the engine took, for messages: it decides nothing."""

    @property
    def over_kernel(self) -> list[float]:
        """Return ln(engine / fixed kernel) of each."""
        return [theta + rho for theta, rho in zip(self.thetas, self.rhos, strict=True)]


Outcome = Literal["unchanged", "regressed", "engine-regressed", "improved", "noisy", "throttled"]


@dataclass(frozen=True)
class Comparison:
    """What decides: the engine against something beside it, in logarithms of a ratio."""

    beside: str
    change: float
    delta: float
    spread: float
    """Pooled standard deviation of one measurement."""
    limit: float
    """More than delta, and more than chance explains."""
    left_out: int = 0
    """Usable measurements that are too far from the others."""

    @property
    def is_calm(self) -> bool:
        """Return whether so little shows that no second look is needed."""
        return abs(self.change) <= self.delta * CALM_SHARE


@dataclass(frozen=True)
class Decision:
    """What the looks say, in shares: 0.05 is 5 % slower."""

    outcome: Outcome
    beside: str
    """What the engine was compared with."""
    change: float
    limit: float
    spread: float
    """Pooled standard deviation of one measurement."""
    ratio_change: float
    """Of the engine against the reference net, also where something else decided."""
    engine_change: float
    """Of the reference net against the fixed kernel."""
    left_out: int = 0
    """Usable measurements that are too far from the others."""
    acquitting_change: float | None = None
    """What the fastest measurement says, where that alone kept the case from failing."""


def decide(
    stored: Stored, looks: Sequence[Measurement], terms: Terms, *, cases: int = 1
) -> Decision | None:
    """Return the decision, None if another look is needed.

    Where the stored artefact was measured beside the engine, that decides; elsewhere the stored
    ratio to the reference net does. One look that shows less than `CALM_SHARE` of delta either way
    ends it. Otherwise `LOOKS` usable ones are pooled, and against stored measurements, if their
    mean is slower by more than delta, as many as ``terms.looks``: it failed if the mean is then
    slower by more than delta and by more than chance explains (one-sided t, its error shared out
    among the run's gated ``cases``). Where ``terms.drops_outliers`` says so, measurements are left
    out that are farther than `OUTLYING` spreads from the median. Where the host's launches take as
    long as the call, and stored ones are compared, every look must be slower by more than delta:
    other work on the host makes launches slower, never faster.
    """
    usable = [each for each in looks if each.is_usable]
    has_duet = any(each.duet is not None for each in usable)
    enough = LOOKS if has_duet else max(LOOKS, terms.looks)
    if len(usable) < LOOKS and len(looks) >= MOST_TRIES:
        return _undecided(looks, stored, terms, cases)
    is_last = len(usable) >= enough or len(looks) >= enough + SPARE_TRIES
    if LOOKS <= len(usable) < enough and not is_last:
        compared = compare(stored, usable, terms, cases=cases)
        is_engine_slow = _engine_change(stored, usable, terms) > log(1 + terms.engine_delta)
        is_last = compared.change <= compared.delta and not is_engine_slow
    if len(usable) == 1:
        is_calm = compare(stored, usable, terms, cases=cases).is_calm
        engine_change = _engine_change(stored, usable, terms)
        is_last = is_calm and (
            _against_kernel(stored, usable, terms, cases).is_calm
            if terms.by_kernel
            else engine_change <= terms.engine_delta * CALM_SHARE
        )
    return _decision(stored, usable, terms, cases) if is_last else None


def compare(
    stored: Stored, usable: Sequence[Measurement], terms: Terms, *, cases: int
) -> Comparison:
    """Return the comparison that decides on ``usable`` measurements."""
    duets = [each.duet for each in usable if each.duet is not None]
    if duets:
        spread = pooled_spread([duets], terms.duet_spread)
        delta, share = log(1 + terms.duet_delta), 1 / len(duets)
        limit = _limit(delta, spread, [duets], share, cases)
        return Comparison("its stored artefact", fmean(duets), delta, spread, limit)
    if terms.by_kernel:
        return _against_kernel(stored, usable, terms, cases)
    now = [each.theta for each in usable]
    return _against_stored(NET, now, stored.thetas, terms, cases)


def _against_kernel(
    stored: Stored, usable: Sequence[Measurement], terms: Terms, cases: int
) -> Comparison:
    now = [each.over_kernel for each in usable]
    return _against_stored(KERNEL, now, stored.over_kernel, terms, cases)


def _against_stored(
    beside: str, now: Sequence[float], before: Sequence[float], terms: Terms, cases: int
) -> Comparison:
    taken, (now, before) = len(now), [_typical(each, terms.spread, terms) for each in (now, before)]
    spread, delta = pooled_spread([before, now], terms.spread), log(1 + terms.delta)
    limit = _limit(delta, spread, [before, now], 1 / len(now) + 1 / len(before), cases)
    change, left_out = fmean(now) - fmean(before), taken - len(now)
    return Comparison(beside, change, delta, spread, limit, left_out)


def _typical(values: Sequence[float], spread: float, terms: Terms) -> Sequence[float]:
    """Return the values near their median, where ``terms`` ask for that; at least one is."""
    if not terms.drops_outliers:
        return values
    middle = median_low(values)
    return [each for each in values if abs(each - middle) <= OUTLYING * spread]


def measure_until_decided(
    first: Measurement,
    measure: Callable[[], Measurement],
    stored: Stored,
    terms: Terms,
    *,
    cases: int,
) -> tuple[Decision, list[Measurement]]:
    """Return the decision, and every measurement that was needed: ``first``, and what follows."""
    looks = [first]
    while (decision := decide(stored, looks, terms, cases=cases)) is None:
        looks.append(measure())
    return decision, looks


def pooled_spread(samples: Sequence[Sequence[float]], prior: float) -> float:
    """Return the standard deviation within few small samples and what is known before them."""
    own = sum((len(each) - 1) * stdev(each) ** 2 for each in samples if len(each) > 1)
    return sqrt((PRIOR_WEIGHT * prior**2 + own) / _freedom(samples))


def _freedom(samples: Sequence[Sequence[float]]) -> int:
    return PRIOR_WEIGHT + sum(max(len(each) - 1, 0) for each in samples)


def quantile(chance: float, freedom: int) -> float:
    """Return Student's t that is exceeded by ``chance``, with ``freedom`` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - chance))


def _decision(stored: Stored, usable: Sequence[Measurement], terms: Terms, cases: int) -> Decision:
    compared = compare(stored, usable, terms, cases=cases)
    engine_change = _engine_change(stored, usable, terms)
    outcome: Outcome = "unchanged"
    acquitting = None
    if len(usable) >= LOOKS:
        is_engine = _is_engine_slower(stored, usable, terms, cases)
        is_slower = compared.change > compared.limit
        acquitting = _acquitting(stored, usable, terms) if is_slower and not is_engine else None
        if is_slower and acquitting is None and not (is_engine and compared.beside == KERNEL):
            outcome = "regressed"
        elif is_engine:
            outcome = "engine-regressed"
        elif compared.change < -compared.limit:
            outcome = "improved"
    return Decision(
        outcome,
        beside=compared.beside,
        change=exp(compared.change) - 1,
        limit=exp(compared.limit) - 1,
        spread=compared.spread,
        ratio_change=exp(_ratio_change(stored, usable, terms)) - 1,
        engine_change=exp(engine_change) - 1,
        left_out=compared.left_out,
        acquitting_change=None if acquitting is None else exp(acquitting) - 1,
    )


def _acquitting(stored: Stored, usable: Sequence[Measurement], terms: Terms) -> float | None:
    """Return the fastest look's change, if launches bind and it is none that matters; else None.

    A look is as slow as it is against the reference net and against the fixed kernel: the host may
    have slowed the net alone.
    """
    if not terms.is_launch_bound or any(each.duet is not None for each in usable):
        return None
    theta, over_kernel = median(stored.thetas), median(stored.over_kernel)
    changes = (max(each.theta - theta, each.over_kernel - over_kernel) for each in usable)
    fastest = min(changes)
    return fastest if fastest <= log(1 + terms.delta) else None


def _engine_change(stored: Stored, usable: Sequence[Measurement], terms: Terms) -> float:
    now, spread = [each.rho for each in usable], _engine_spread(terms)
    return _change(now, stored.rhos, spread, terms)


def _engine_spread(terms: Terms) -> float:
    return terms.engine_delta * ENGINE_SPREAD


def _ratio_change(stored: Stored, usable: Sequence[Measurement], terms: Terms) -> float:
    return _change([each.theta for each in usable], stored.thetas, terms.spread, terms)


def _change(now: Sequence[float], before: Sequence[float], spread: float, terms: Terms) -> float:
    return fmean(_typical(now, spread, terms)) - fmean(_typical(before, spread, terms))


def _is_engine_slower(
    stored: Stored, usable: Sequence[Measurement], terms: Terms, cases: int
) -> bool:
    """Return whether every net of the engine is slower.

    Where the fixed kernel decides, a builder may have made the reference net alone slower, or
    slower than this one: this net is slower too, and both by about the same.
    """
    limit = _engine_limit(stored, usable, terms, cases)
    is_slower = _engine_change(stored, usable, terms) > limit
    if not terms.by_kernel:
        return is_slower
    own = _against_kernel(stored, usable, terms, cases)
    ratio_change = _ratio_change(stored, usable, terms)
    return is_slower and own.change > own.limit and abs(ratio_change) <= own.limit


def _engine_limit(stored: Stored, usable: Sequence[Measurement], terms: Terms, cases: int) -> float:
    prior = _engine_spread(terms)
    before = _typical(stored.rhos, prior, terms)
    now = _typical([each.rho for each in usable], prior, terms)
    spread, share = pooled_spread([before], prior), 1 / len(now) + 1 / len(before)
    return _limit(log(1 + terms.engine_delta), spread, [before], share, cases)


def _limit(
    delta: float, spread: float, samples: Sequence[Sequence[float]], share: float, cases: int
) -> float:
    """Return what chance exceeds too rarely; ``share`` of the variance is that of the mean."""
    chance = quantile(FALSE_ALARM / cases, _freedom(samples))
    return max(delta, chance * spread * sqrt(share))


def _undecided(looks: Sequence[Measurement], stored: Stored, terms: Terms, cases: int) -> Decision:
    dropped = {reason for each in looks for reason in each.dropped}
    throttled = any(reason in THROTTLED for reason in dropped)
    known = [each for each in looks if isfinite(each.theta)]
    nan = float("nan")
    nothing = Decision("noisy", NET, nan, nan, terms.spread, nan, nan)
    base = _decision(stored, known, terms, cases) if known else nothing
    outcome: Outcome = "throttled" if throttled else "noisy"
    return replace(base, outcome=outcome, acquitting_change=None)
