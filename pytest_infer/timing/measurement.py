"""What one fresh process says of an engine's speed: a ratio, and what it stands on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import log
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from pytest_infer.timing.look import Look
from pytest_infer.timing.rounds import LEAST_ROUNDS
from pytest_infer.units import NS_PER_MS

if TYPE_CHECKING:
    from pytest_infer.timing.rounds import Round

ENGINE, REFERENCE, FIXED, STORED = "engine", "reference", "fixed", "stored"
"""The arms: the engine under test, the frozen net in the same engine, a kernel of a fixed length
that no inference library runs, and the engine's old artefact where it was kept."""

FAST = 20
"""The percentile that stands for an arm.

A shared CPU has faster and slower moments, invisible from within, and nets suffer differently from
the slow ones: of the faster ones they have a share in every process.
"""

CLOCK_LIMIT = 0.03
"""A round whose fixed kernel differs by this share from the median ran at another clock."""


@dataclass(frozen=True)
class Measurement:
    """Ratios of the arms over the rounds that nothing disturbed: of their 20th percentiles.

    A duet is the median of the rounds' own ratios.
    """

    theta: float
    """ln(engine / reference net)."""
    rho: float
    """ln(reference net / fixed kernel): a slowdown of the whole engine shows here."""
    engine_ms: float
    kept: int
    """Rounds that count."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Rounds that do not, by reason."""
    duet: float | None = None
    """ln(engine / its stored artefact), None if that was not kept."""
    enqueue_share: float | None = None
    """How much of a call's time on the GPU the host needed to launch it; None on a CPU."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    look: Look | None = field(default=None, compare=False, repr=False)
    """What the engine's timed calls put out; None if nobody looked."""

    @property
    def over_kernel(self) -> float:
        """Return ln(engine / fixed kernel)."""
        return self.theta + self.rho

    @property
    def is_usable(self) -> bool:
        """Return whether enough rounds count."""
        return self.kept >= LEAST_ROUNDS

    @property
    def foreign_processes(self) -> Sequence[str]:
        """Return who else was on the GPU, as far as the driver reports it."""
        return self.environment.get("foreign_processes") or ()

    @property
    def gpu(self) -> str:
        """Return the UUID of the GPU; empty on a CPU, or where the driver does not report it."""
        return str(self.environment.get("uuid") or "")

    def told(self) -> str:
        """Return how many rounds count, and why others do not."""
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(self.dropped.items()))
        return f"{self.kept} of {self.kept + sum(self.dropped.values())} rounds kept" + (
            f" (dropped: {why})" if why else ""
        )


def measurement_from_rounds(
    rounds: Sequence[Round], *, checks_clock: bool = False, **about: Any
) -> Measurement:
    """Return the measurement that ``rounds`` make; with none that counts, its figures are NaN.

    ``checks_clock`` drops rounds in which the fixed kernel, whose cycles are fixed, took
    another time.
    """
    judged = _with_clock(rounds) if checks_clock else rounds
    clean = [each.medians_ns for each in judged if not each.disturbance]
    dropped = Counter(each.disturbance for each in judged if each.disturbance)
    has_stored = bool(clean) and STORED in clean[0]
    return Measurement(
        theta=_log_ratio(clean, ENGINE, REFERENCE),
        rho=_log_ratio(clean, REFERENCE, FIXED),
        engine_ms=_fast(clean, ENGINE) / NS_PER_MS,
        kept=len(clean),
        dropped=dict(dropped),
        duet=_paired(clean, ENGINE, STORED) if has_stored else None,
        **about,
    )


def _log_ratio(rounds: Sequence[Mapping[str, float]], over: str, under: str) -> float:
    return log(_fast(rounds, over) / _fast(rounds, under)) if rounds else float("nan")


def _paired(rounds: Sequence[Mapping[str, float]], over: str, under: str) -> float:
    """Return the median of the rounds' own logarithms: two builds of a net suffer alike."""
    return median(log(each[over] / each[under]) for each in rounds)


def _fast(rounds: Sequence[Mapping[str, float]], arm: str) -> float:
    """Return the percentile of an arm's durations, by linear interpolation; NaN of none."""
    durations = [each[arm] for each in rounds]
    if len(durations) < 2:  # noqa: PLR2004 - quantiles need two
        return durations[0] if durations else float("nan")
    return quantiles(durations, n=100, method="inclusive")[FAST - 1]


def _with_clock(rounds: Sequence[Round]) -> list[Round]:
    clean = [each.medians_ns[FIXED] for each in rounds if not each.disturbance]
    if not clean:
        return list(rounds)
    usual = median(clean)
    return [
        replace(each, disturbance="clock")
        if not each.disturbance and abs(each.medians_ns[FIXED] / usual - 1) > CLOCK_LIMIT
        else each
        for each in rounds
    ]
