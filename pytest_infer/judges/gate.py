"""The latency gate: whether an engine is slower than its stored measurements say.

The unit is the measurement: one fresh process, in which the engine and a frozen reference net take
turns. ``docs/gate.md`` has the reasons, and the error rates that were measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, isfinite, log, sqrt
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Literal

from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_infer.timing.measurement import Measurement

FALSE_ALARM = 0.01
"""The chance of a false failure that a run may have, over all its gated cases together."""

PRIOR_WEIGHT = 10
"""Degrees of freedom that the spread known from experiments has beside the entry's own."""

CALM_SHARE = 0.8
"""Of delta: a first look that shows less is the last one."""

LARGE_CHANGE = 0.5
"""A change that is told in both ratios, for the stored one may be wrong."""

STORED_MEASUREMENTS = 5
LOOKS = 3
"""Usable measurements behind a failure."""
MOST_TRIES = 6

THROTTLED = ("thermal", "sw-thermal", "power-brake", "power-cap", "hw-slowdown", "clock")
"""Reasons of dropped rounds that are the device's own."""


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
    """The least slowdown of the reference net against the calibration kernel: a slower engine."""


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


@dataclass(frozen=True)
class Stored:
    """What a baseline holds of a case: a few measurements of it, each of a process of its own."""

    thetas: Sequence[float]
    rhos: Sequence[float]


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
    """Of the reference net against the calibration kernel."""


def decide(
    stored: Stored, looks: Sequence[Measurement], terms: Terms, *, cases: int = 1
) -> Decision | None:
    """Return the decision, None if another look is needed.

    Where the stored artefact was measured beside the engine, that decides; elsewhere the stored
    ratio to the reference net does. One look that shows less than `CALM_SHARE` of delta either way
    ends it. Otherwise `LOOKS` usable ones are pooled: it failed if their mean is slower by more
    than delta and by more than chance explains (one-sided t, its error shared out among the run's
    gated ``cases``).
    """
    usable = [each for each in looks if each.is_usable]
    is_last = len(usable) >= LOOKS or len(looks) >= MOST_TRIES
    if len(usable) < LOOKS and is_last:
        return _undecided(looks, stored, terms, cases)
    if len(usable) == 1:
        is_calm = compare(stored, usable, terms, cases=cases).is_calm
        engine_change = fmean(each.rho for each in usable) - fmean(stored.rhos)
        is_last = is_calm and engine_change <= terms.engine_delta * CALM_SHARE
    return _decision(stored, usable, terms, cases) if is_last else None


def compare(
    stored: Stored, usable: Sequence[Measurement], terms: Terms, *, cases: int
) -> Comparison:
    """Return the comparison that decides on ``usable`` measurements."""
    duets = [each.duet for each in usable if each.duet is not None]
    if duets:
        spread = pooled_spread(duets, terms.duet_spread)
        change, delta, beside = fmean(duets), log(1 + terms.duet_delta), "its stored artefact"
        freedom, share = len(duets), 1 / len(duets)
    else:
        spread = pooled_spread(stored.thetas, terms.spread)
        change = fmean(each.theta for each in usable) - fmean(stored.thetas)
        delta, beside = log(1 + terms.delta), "the reference net"
        freedom, share = len(stored.thetas), 1 / len(usable) + 1 / len(stored.thetas)
    return Comparison(beside, change, delta, spread, _limit(delta, spread, freedom, share, cases))


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


def pooled_spread(values: Sequence[float], prior: float) -> float:
    """Return the standard deviation from few ``values`` and what is known before them."""
    own = (len(values) - 1) * stdev(values) ** 2 if len(values) > 1 else 0.0
    return sqrt((PRIOR_WEIGHT * prior**2 + own) / (PRIOR_WEIGHT + max(len(values) - 1, 0)))


def quantile(chance: float, freedom: int) -> float:
    """Return Student's t that is exceeded by ``chance``, with ``freedom`` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - chance))


def _decision(stored: Stored, usable: Sequence[Measurement], terms: Terms, cases: int) -> Decision:
    compared = compare(stored, usable, terms, cases=cases)
    engine_change = fmean(each.rho for each in usable) - fmean(stored.rhos)
    outcome: Outcome = "unchanged"
    if len(usable) >= LOOKS:
        if compared.change > compared.limit:
            outcome = "regressed"
        elif engine_change > _engine_limit(stored, len(usable), terms, cases):
            outcome = "engine-regressed"
        elif compared.change < -compared.limit:
            outcome = "improved"
    return Decision(
        outcome,
        beside=compared.beside,
        change=exp(compared.change) - 1,
        limit=exp(compared.limit) - 1,
        spread=compared.spread,
        ratio_change=exp(fmean(each.theta for each in usable) - fmean(stored.thetas)) - 1,
        engine_change=exp(engine_change) - 1,
    )


def _engine_limit(stored: Stored, looks: int, terms: Terms, cases: int) -> float:
    spread = pooled_spread(stored.rhos, terms.engine_delta / 4)
    count = len(stored.rhos)
    return _limit(log(1 + terms.engine_delta), spread, count, 1 / looks + 1 / count, cases)


def _limit(delta: float, spread: float, values: int, share: float, cases: int) -> float:
    """Return what chance exceeds too rarely; ``share`` of the variance is that of the mean."""
    chance = quantile(FALSE_ALARM / cases, PRIOR_WEIGHT + values - 1)
    return max(delta, chance * spread * sqrt(share))


def _undecided(looks: Sequence[Measurement], stored: Stored, terms: Terms, cases: int) -> Decision:
    dropped = {reason for each in looks for reason in each.dropped}
    throttled = any(reason in THROTTLED for reason in dropped)
    known = [each for each in looks if isfinite(each.theta)]
    nan = float("nan")
    nothing = Decision("noisy", "the reference net", nan, nan, terms.spread, nan, nan)
    base = _decision(stored, known, terms, cases) if known else nothing
    return replace(base, outcome="throttled" if throttled else "noisy")


def verdict_of(
    decision: Decision,
    looks: Sequence[Measurement],
    stored: Stored,
    terms: Terms,
    *,
    subject: str,
    mend: str,
    since: str = "",
    is_same: bool = False,
) -> Verdict:
    """Return the verdict; ``since`` says what is known to have changed, ``mend`` stores anew.

    ``is_same``: the very artefact that was stored, run by the same libraries. Pass: ``unchanged``,
    ``improved``; fail: ``regressed``, ``engine-regressed``; inconclusive: ``unexplained``,
    ``inconclusive-noisy``, ``inconclusive-throttled``.
    """
    figures = _figures(decision, looks)
    why = "\n".join(_reasons(decision, looks, stored, terms)) + (f"\n{since}" if since else "")
    if decision.outcome == "regressed" and is_same:
        message = (
            f"{subject} is slower by {decision.change:.1%} against {decision.beside}, and nothing "
            "that is known of it has changed: the artefact and the libraries are those that were "
            f"stored. Look for what changed on the machine, or accept it with {mend}: {why}"
        )
        return Verdict("baseline", "inconclusive", "unexplained", message, figures)
    if decision.outcome == "regressed":
        return failed(
            "baseline",
            "regressed",
            what=f"{subject} regressed: {decision.change:+.1%} against {decision.beside}",
            why=why,
            mend=f"find what became slow, or accept it: {mend}",
            figures=figures,
        )
    if decision.outcome == "engine-regressed":
        return failed(
            "baseline",
            "engine-regressed",
            what=f"{subject}: its whole engine is slower, {decision.engine_change:+.1%} on the "
            "reference net",
            why=why,
            mend=f"look for what changed in the engine or on the machine, or accept it: {mend}",
            figures=figures,
        )
    if decision.outcome in {"noisy", "throttled"}:
        code = f"inconclusive-{decision.outcome}"
        message = (
            f"{subject}: no verdict after {len(looks)} measurements, the device was "
            f"{'slowed down' if decision.outcome == 'throttled' else 'not quiet'}: {why}; "
            "run again on a quiet, cool device"
        )
        return Verdict("baseline", "inconclusive", code, message, figures)
    if decision.outcome == "improved":
        message = f"{subject} improved: {decision.change:+.1%}; keep it with {mend}; {why}"
        return Verdict("baseline", "pass", "improved", message, figures)
    return Verdict("baseline", "pass", "unchanged", f"{subject} is unchanged: {why}", figures)


def _reasons(
    decision: Decision, looks: Sequence[Measurement], stored: Stored, terms: Terms
) -> list[str]:
    usable = [each for each in looks if each.is_usable]
    allowed = f"{decision.limit:.2%} is allowed ({terms.name})"
    looked = f"{len(usable)} of {len(looks)} measurements"
    reasons = [f"{decision.change:+.2%} against {decision.beside} in {looked}, {allowed}"]
    if any(each.duet is not None for each in looks):
        reasons.append(f"one measurement beside it spreads by {decision.spread:.2%}")
        reasons.append(
            f"{decision.ratio_change:+.2%} against the reference net since it was stored"
        )
    else:
        count = len(stored.thetas)
        reasons.append(f"stored: {count} measurements, which spread by {decision.spread:.2%}")
    if abs(decision.ratio_change) > LARGE_CHANGE:
        before = fmean(stored.thetas)
        reasons.append(
            f"the engine took {exp(before):.3g} times as long as the reference net when it was "
            f"stored (theta {before:.3g}), and {(1 + decision.ratio_change) * exp(before):.3g} "
            "times now; is the stored figure right?"
        )
    reasons.append(f"the engine itself: {decision.engine_change:+.1%} on the reference net")
    reasons += [f"measurement {n}: {each.told()}" for n, each in enumerate(looks, 1)]
    foreign = {str(name) for each in looks for name in each.foreign_processes}
    return reasons + ([f"others on the GPU: {', '.join(sorted(foreign))}"] if foreign else [])


def _figures(decision: Decision, looks: Sequence[Measurement]) -> Mapping[str, float]:
    figures = {
        "theta": fmean(each.theta for each in looks),
        "change": decision.change,
        "limit": decision.limit,
        "ratio_change": decision.ratio_change,
        "engine_change": decision.engine_change,
        "spread": decision.spread,
        "measurements": float(len(looks)),
        "rounds_kept": float(sum(each.kept for each in looks)),
        "rounds_dropped": float(sum(sum(each.dropped.values()) for each in looks)),
    }
    return {name: value for name, value in figures.items() if isfinite(value)}
