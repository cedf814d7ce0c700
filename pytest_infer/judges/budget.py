"""The judge of latency: samples against a budget set by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from pytest_infer.bounds import is_finite, told
from pytest_infer.errors import OptionError, TimingError, unknown
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.timing.samples import Samples

_LIMITS_ABOVE = ("throughput_per_s", "speedup")
"""The figures that are better when higher."""


@dataclass(frozen=True)
class Budget:
    """The keywords of ``@pytest.mark.latency_budget``: latencies at most, rates at least."""

    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    throughput_per_s: float | None = None
    speedup: float | None = None
    """Eager's median duration over the engine's."""
    p50_over_baseline: float | None = None
    """The median duration over the one stored for this very case on this device, at most."""

    def __post_init__(self) -> None:
        for name, value in self.as_dict().items():
            if not is_finite(value) or value <= 0:
                raise _unusable(name, value)

    def as_dict(self) -> dict[str, float]:
        """Return the limits that are set."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class StoredMedian:
    """The p50 of a case's own measured entry in the baselines, or why there is none."""

    p50_ms: float | None = None
    lack: str = "no stored one was looked up"
    """Why there is none, and how to get it."""
    code: str = "no-baseline"
    is_demanded: bool = False
    """A person named the baselines: to have no entry in them is a failure."""


def budget_from_keywords(keywords: Mapping[str, float]) -> Budget:
    """Return a mark's keywords as a `Budget`; raise `OptionError` for one that is unknown."""
    known = [each.name for each in fields(Budget)]
    for name in keywords:
        if name not in known:
            raise unknown("keyword of @pytest.mark.latency_budget", name, known)
    return Budget(**keywords)


def judge_budget(
    samples: Samples,
    budget: Budget | None = None,
    *,
    eager: Samples | None = None,
    replay: Samples | None = None,
    stored: StoredMedian | None = None,
    subject: str = "engine",
) -> Verdict:
    """Judge samples by a budget; without one, only report the figures.

    ``eager`` are eager's samples of the same batch, by the same clock; they give the speed-up,
    unless they were taken on another machine. ``replay`` are those of eager replayed by a CUDA
    graph: the speed-up over them, ``speedup_over_replay``, has none of the host's launches in it.
    ``stored`` is what ``p50_over_baseline`` is over.
    Pass: ``measured`` (no budget), ``within-budget``; fail: ``over-budget`` (a latency is too
    long), ``too-slow`` (only a throughput or speed-up is too low), ``other-machine`` (a speed-up
    is demanded, and there is none), ``no-baseline`` (baselines that were named lack the case).
    New: ``no-baseline`` (nothing is stored yet), ``to-be-stored`` (this run replaces it).
    """
    figures = samples.figures()
    is_elsewhere = eager is not None and eager.machine != samples.machine
    if eager and not is_elsewhere:
        figures |= {
            "speedup": _speedup(samples, eager, subject),
            "eager_p50_ms": eager.percentile_ms(50),
            **({"eager_launch_bound": 1} if eager.is_launch_bound else {}),
            **({"eager_waited_share": eager.waited_share} if eager.waited_ns else {}),
        }
    if replay and replay.machine == samples.machine:
        figures |= {
            "speedup_over_replay": _speedup(samples, replay, subject),
            "eager_replay_p50_ms": replay.percentile_ms(50),
        }
    if stored and stored.p50_ms is not None:
        figures |= {"p50_over_baseline": figures["p50_ms"] / stored.p50_ms}
    note = f"; no speed-up, for eager ran on {eager.machine}" if eager and is_elsewhere else ""
    limits = budget.as_dict() if budget else {}
    if "speedup" in limits and eager is None:
        raise TimingError(
            f"{subject}: cannot judge the speed-up",
            why="the budget names one, and eager was not measured",
            mend="let eager run in the same session (--engine=eager,...), or drop speedup=",
        )
    if not limits:
        message = f"{subject} takes {_told('p50_ms', figures)}, {_told('p99_ms', figures)}{note}"
        return Verdict("latency", "pass", "measured", message, figures)
    missed = [
        name
        for name, limit in limits.items()
        if name in figures and _is_missed(name, figures[name], limit)
    ]
    if not missed and eager and "speedup" in limits and is_elsewhere:
        return failed(
            "latency",
            "other-machine",
            what=f"{subject}: cannot judge the speed-up",
            why=f"it ran on {samples.machine}, and eager on {eager.machine}",
            mend="run eager there too (--infer-host=eager=SPEC of that machine), or drop speedup=",
            figures=figures,
        )
    if not missed and "p50_over_baseline" in limits and "p50_over_baseline" not in figures:
        return _without_stored(stored or StoredMedian(), figures, subject)
    if not missed:
        kept = ", ".join(_compared(name, figures[name], limits[name]) for name in limits)
        message = f"{subject} keeps its budget: {kept}{note}"
        return Verdict("latency", "pass", "within-budget", message, figures)
    is_late = any(name not in _LIMITS_ABOVE for name in missed)
    return failed(
        "latency",
        "over-budget" if is_late else "too-slow",
        what=f"{subject} is {'over budget' if is_late else 'too slow'}",
        why="\n".join(_compared(name, figures[name], limits[name]) for name in missed),
        mend=_mend(limits, missed, figures),
        figures=figures,
    )


def _without_stored(stored: StoredMedian, figures: dict[str, float], subject: str) -> Verdict:
    """Say that ``p50_over_baseline`` has nothing to be over; no other limit was missed."""
    what = f"{subject}: cannot judge p50_over_baseline"
    if not stored.is_demanded:
        return Verdict("latency", "new", stored.code, f"{what}: {stored.lack}", figures)
    mend = "store it, or drop p50_over_baseline="
    return failed("latency", stored.code, what=what, why=stored.lack, mend=mend, figures=figures)


def _speedup(samples: Samples, eager: Samples, subject: str) -> float:
    if (samples.batch, samples.clock) != (eager.batch, eager.clock):
        raise TimingError(
            f"{subject}: cannot compare with eager's samples",
            why=f"batch {samples.batch} by {samples.clock} against eager's "
            f"batch {eager.batch} by {eager.clock}",
            mend="measure both with the same feeds and the same clock",
        )
    return eager.percentile_ms(50) / samples.percentile_ms(50)


def _is_missed(name: str, value: float, limit: float) -> bool:
    return value < limit if name in _LIMITS_ABOVE else value > limit


def _compared(name: str, value: float, limit: float) -> str:
    sign = (
        ("<" if value < limit else ">=")
        if name in _LIMITS_ABOVE
        else (">" if value > limit else "<=")
    )
    return f"{name} {value:.4g} {sign} {limit:.4g} ({value / limit:.3g} x)"


def _told(name: str, figures: Mapping[str, float]) -> str:
    return f"{name} {figures[name]:.4g}"


def _mend(limits: Mapping[str, float], missed: list[str], figures: Mapping[str, float]) -> str:
    kept = {name: limits[name] for name in limits if name not in missed}
    bounds = kept | {name: _loosened(name, figures[name]) for name in missed}
    keywords = ", ".join(f"{name}={value!r}" for name, value in bounds.items())
    return f"find what became slow, or accept it: @pytest.mark.latency_budget({keywords})"


def _loosened(name: str, value: float) -> float:
    """Return the nearest number of 2 significant digits that ``value`` keeps."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    rounding = math.floor if name in _LIMITS_ABOVE else math.ceil
    return float(f"{rounding(value / step) * step:.2g}")


def _unusable(name: str, value: object) -> OptionError:
    return OptionError(
        f"cannot use budget {name}={told(value)}",
        why="it is not a positive, finite number",
        mend=f"give a plain number, such as @pytest.mark.latency_budget({name}=2.0)",
    )
