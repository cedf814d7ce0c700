"""The fixture `against`: the judge of an engine beside itself in another environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from pytest_infer.baselines.versions import changed_versions
from pytest_infer.devices.device import Device
from pytest_infer.judges.against import (
    CPU_PAIRS,
    GPU_PAIRS,
    LAUNCH_BOUND_PAIRS,
    pairs_until_decided,
)
from pytest_infer.judges.against_verdict import verdict_of
from pytest_infer.judges.metamorphic import References
from pytest_infer.judges.upgraded_outputs import judge_upgraded
from pytest_infer.session.answers import Answers
from pytest_infer.session.engine import under_test
from pytest_infer.session.latency import WrongCallsError
from pytest_infer.session.pair_timer import Arm
from pytest_infer.timing.pair import NEW, OLD
from pytest_infer.timing.samples import LAUNCH_BOUND_SHARE
from pytest_infer.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import Case
    from pytest_infer.judges.against import PairTerms
    from pytest_infer.judges.tolerance import Tolerance
    from pytest_infer.session.engine import EngineUnderTest
    from pytest_infer.session.latency import TimedCalls
    from pytest_infer.session.reference import Reference
    from pytest_infer.session.session import InferSession
    from pytest_infer.timing.pair import Pair

AGAINST = "against"
"""The detail of a verdict that says what was compared with what."""


class Against:
    """Judges a case's engine against the same one in the environment of ``--infer-against``."""

    def __init__(
        self,
        case: Case,
        infer: InferSession,
        reference: Reference,
        tolerance: Tolerance | None,
        timed: TimedCalls,
    ) -> None:
        """Take ``timed``, which returns the verdict on timed calls that put out something else."""
        self._case = case
        self._infer = infer
        self._reference = reference
        self._tolerance = tolerance
        self._timed = timed

    def outputs(self, answers: Answers) -> Verdict:
        """Judge the new environment's answers to all photographs by those of the old one.

        Pass: ``bit-equal``, ``within-noise``; fail: ``outputs-differ``, and what
        `judge_relation` finds wrong with either; inconclusive: ``old-lacks``.
        """
        if lacking := self._lacking():
            return lacking
        verdicts = []
        infer, built = self._infer, self._infer.rival.built(self._case)
        with under_test(self._case, built, infer.rival.hosts) as old:
            before = Answers(old, infer.artefacts.models, infer.artefacts.eager)
            try:
                for new_answer, old_answer in zip(answers, before, strict=True):
                    verdicts.append(
                        judge_upgraded(
                            new_answer.outputs,
                            old_answer.outputs,
                            References(*self._reference.at(new_answer.start)),
                            precision=self._case.precision,
                            tolerance=self._tolerance,
                            subject=f"{self._case.id}, {new_answer.place}",
                        )
                    )
            finally:
                before.close()
        return self._detailed(self._reference.blamed(_worst(verdicts)))

    def speed(self, engine: EngineUnderTest, feeds: Arrays) -> Verdict:
        """Measure pairs of fresh processes until they decide.

        Pass: ``unchanged``, ``improved``; fail: ``regressed``; inconclusive:
        ``inconclusive-noisy``, ``inconclusive-throttled``, ``inconclusive-spread``, ``old-lacks``.
        """
        if lacking := self._lacking():
            return lacking
        try:
            return self._speed(engine, feeds)
        except WrongCallsError as wrong:
            return replace(wrong.verdict, judge="against")

    def _speed(self, engine: EngineUnderTest, feeds: Arrays) -> Verdict:
        infer = self._infer
        arms = {
            NEW: Arm(infer.hosts, engine.built),
            OLD: Arm(infer.rival.hosts, infer.rival.built(self._case)),
        }
        decision, pairs, terms = pairs_until_decided(
            lambda: self._pair(arms, feeds), self._terms, cases=infer.compared_cases
        )
        versions = self._versions()
        verdict = verdict_of(
            decision,
            pairs,
            terms,
            subject=self._case.id,
            versions=", ".join(map(str, changed_versions(versions[OLD], versions[NEW]))),
            artefacts=tuple(Path(arms[name].built.folder).name for name in (OLD, NEW)),
            rounds=infer.pair_timer.setting(self._case).rounds,
            figures=_resource_figures(pairs),
        )
        return self._detailed(verdict, pairs=[_pair_details(each) for each in pairs])

    def _pair(self, arms: Mapping[str, Arm], feeds: Arrays) -> Pair:
        """Return a pair of calls that computed what the engine is asked for, in both processes."""
        pair = self._infer.pair_timer(self._case, arms, feeds)
        for look in pair.looks:
            if wrong := self._timed(look):
                raise WrongCallsError(wrong)
        return pair

    def _terms(self, pair: Pair) -> PairTerms:
        if not Device.named(self._case.device).is_gpu:
            return CPU_PAIRS
        share = pair.enqueue_share
        is_bound = share is not None and share >= LAUNCH_BOUND_SHARE
        return LAUNCH_BOUND_PAIRS if is_bound else GPU_PAIRS

    def _lacking(self) -> Verdict | None:
        """Return the verdict if the old environment does not have the case's precision."""
        lack = self._infer.rival.availability.lack(self._case.engine, self._case.precision)
        if lack is None:
            return None
        message = (
            f"{self._case.id} cannot be compared: the environment of --infer-against cannot run "
            f"{self._case.precision}: {lack.why}; {lack.mend}"
        )
        return self._detailed(Verdict("against", "inconclusive", "old-lacks", message))

    def _versions(self) -> dict[str, dict[str, str]]:
        name = self._case.engine
        new = self._infer.artefacts.identities.runtime(name)
        return {NEW: new, OLD: self._infer.rival.identities.runtime(name)}

    def _detailed(self, verdict: Verdict, **more: Any) -> Verdict:
        versions = self._versions()
        found = {
            "host": self._infer.config.against[self._case.engine],
            "old_runtime": versions[OLD],
            "new_runtime": versions[NEW],
            **more,
        }
        return replace(verdict, details={**verdict.details, AGAINST: found})


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict on the photographs that differ most."""
    ranks = {"bit-equal": 0, "within-noise": 1}

    def badness(each: Verdict) -> tuple[int, float]:
        return ranks.get(each.code, 2), each.figures.get("outputs_ratio", 0.0)

    return max(verdicts, key=badness)


def _resource_figures(pairs: Sequence[Pair]) -> dict[str, float]:
    """Return the median over the pairs of what each arm takes besides time."""
    found: dict[str, float] = {}
    for arm in (OLD, NEW):
        values = [each.resources.get(arm, {}) for each in pairs]
        for name in dict.fromkeys(key for each in values for key in each):
            found[f"{arm}_{name}"] = median(each[name] for each in values if name in each)
    return found


def _pair_details(pair: Pair) -> dict[str, Any]:
    return {
        "change": pair.change if pair.is_usable else None,
        "new_ms": pair.new_ms if pair.is_usable else None,
        "old_ms": pair.old_ms if pair.is_usable else None,
        "clock": pair.clock,
        "rounds": pair.kept,
        "disturbed": dict(pair.disturbed),
    }
