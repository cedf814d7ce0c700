"""The fixture `latency`: the judge of budgets and of what timed calls put out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_infer.judges import metamorphic
from pytest_infer.judges.budget import judge_budget

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.case import Case
    from pytest_infer.judges.budget import Budget, StoredMedian
    from pytest_infer.judges.tolerance import Tolerance
    from pytest_infer.session.reference import Reference
    from pytest_infer.timing.look import Look
    from pytest_infer.timing.samples import Samples
    from pytest_infer.verdict import Verdict

    Explain = Callable[[Verdict, Case, Tolerance | None, int], Verdict]

SAMPLES = "samples"
"""The detail of a verdict that holds the timed calls."""

UNSEEN = "; what timed calls put out cannot be seen, only calls before and after them"


class WrongCallsError(Exception):
    """Timed calls put out something else; carries the verdict on them."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


class TimedCalls:
    """Judges what a case's timed calls have put out."""

    def __init__(self, case: Case, reference: Reference, tolerance: Tolerance | None) -> None:
        self._case = case
        self._reference = reference
        self._tolerance = tolerance

    def __call__(self, look: Look | None) -> Verdict | None:
        """Return the verdict on a look that shows something else than `infer` gives."""
        if look is None or not look.others:
            return None
        return metamorphic.judge_look(
            look,
            references=self._reference.both,
            precision=self._case.precision,
            tolerance=self._tolerance,
            subject=self._case.id,
        )


class Latency:
    """Judges samples of a case against the budget that its test's mark sets."""

    def __init__(
        self,
        case: Case,
        budget: Budget | None,
        stored: Callable[[], StoredMedian] | None = None,
        timed: Callable[[Look | None], Verdict | None] = lambda _: None,
        growth: Callable[[Verdict], Verdict] = lambda verdict: verdict,
        *,
        profiled: Callable[[Verdict], Verdict] = lambda verdict: verdict,
    ) -> None:
        """Take ``timed``, which returns the verdict on timed calls that put out something else.

        ``growth`` compares sizes, memory, build and load with a budget, and with what is stored.
        ``profiled`` adds what each layer takes, after all that is judged here was measured.
        """
        self._case = case
        self._budget = budget
        self._stored = stored
        self._timed = timed
        self._growth = growth
        self._profiled = profiled

    def __call__(
        self, samples: Samples, eager: Samples | None = None, replay: Samples | None = None
    ) -> Verdict:
        """Judge percentiles and throughput, and the speed-up over ``eager`` if it is given.

        ``replay`` are the samples of `eager_replay`, for the speed-up without eager's launches.
        Calls that did not compute what the engine is asked for fail, however fast they are.
        Baselines are read only for a budget that is over them.
        """
        if wrong := self._timed(samples.look):
            return replace(wrong, figures={**samples.figures(), **wrong.figures})
        is_over_baseline = self._budget and self._budget.p50_over_baseline is not None
        stored = self._stored() if self._stored and is_over_baseline else None
        verdict = judge_budget(
            samples,
            self._budget,
            eager=eager,
            replay=replay,
            stored=stored,
            subject=self._case.id,
        )
        verdict = self._growth(verdict)
        verdict = replace(verdict, details={**verdict.details, SAMPLES: samples.series()})
        verdict = self._profiled(verdict)
        if samples.look is None or samples.look.is_seen:
            return verdict
        return replace(verdict, message=f"{verdict.message}{UNSEEN}")
