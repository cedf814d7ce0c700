"""The judge of baselines as a test gets it: it measures, and compares with what is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_infer.baselines.versions import changed_versions
from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import TimesKernels
from pytest_infer.judges.gate import Stored, measure_until_decided
from pytest_infer.judges.gate_verdict import verdict_of
from pytest_infer.judges.terms import with_rebuild
from pytest_infer.session.gate_terms import odd_measurement, terms_of, unlike
from pytest_infer.session.latency import WrongCallsError
from pytest_infer.session.storing import Storing
from pytest_infer.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_infer.arrays import Arrays
    from pytest_infer.baselines.chosen import ChosenBaselines
    from pytest_infer.baselines.entry import Entry, Measured
    from pytest_infer.case import Case
    from pytest_infer.session.engine import EngineUnderTest
    from pytest_infer.session.gate_timer import GateTimer
    from pytest_infer.stored_gate import Gate
    from pytest_infer.timing.look import Look
    from pytest_infer.timing.measurement import Measurement
    from pytest_infer.timing.samples import Samples

COMPARED = "compared"
"""The detail of a verdict that holds what the gate compared: stored measurements and its own."""


class BaselineJudge:
    """Judges a case's engine against what is stored for it."""

    def __init__(
        self,
        case: Case,
        baselines: ChosenBaselines,
        gate_timer: GateTimer,
        *,
        gated_cases: Callable[[], int],
        runtime: Callable[[], dict[str, str]],
        timed: Callable[[Look | None], Verdict | None] = lambda _: None,
        keep_timings: Callable[[], str] = str,
    ) -> None:
        """Take ``timed``, which returns the verdict on timed calls that put out something else.

        And ``keep_timings``, which stores what a builder has timed and returns its digest.
        """
        self._case = case
        self._baselines = baselines
        self._gate_timer = gate_timer
        self._gated_cases = gated_cases
        self._runtime = runtime
        self._timed = timed
        self._keep_timings = keep_timings
        self._is_tuned = isinstance(engines.find(case.engine), TimesKernels)

    def __call__(
        self,
        engine: EngineUnderTest,
        feeds: Arrays,
        samples: Samples,
        figures: Mapping[str, float] | None = None,
    ) -> Verdict:
        """Judge by the latency gate where measurements are stored, else ``samples`` by a floor.

        With ``--update-baselines`` measure what will be stored instead. ``figures`` are others
        than those of ``samples`` that a floor may have, such as ``round_trip_mean_ms``.
        """
        try:
            verdict = self._verdict(engine, feeds, {**samples.figures(), **(figures or {})})
        except WrongCallsError as wrong:
            verdict = replace(wrong.verdict, judge="baseline")
        return replace(verdict, artefact=Path(engine.built.folder).name)

    def _measure(self, engine: EngineUnderTest, feeds: Arrays, beside: str = "") -> Measurement:
        """Return a measurement of calls that computed what the engine is asked for."""
        measured = self._gate_timer(engine, feeds, beside)
        if wrong := self._timed(measured.look):
            raise WrongCallsError(wrong)
        return measured

    def _verdict(
        self, engine: EngineUnderTest, feeds: Arrays, figures: Mapping[str, float]
    ) -> Verdict:
        if self._baselines.is_stored_anew(self._case):
            return self._measured_to_store(engine, feeds)
        entry = self._baselines.gated(self._case)
        if entry is None or entry.gate is None:
            return self._baselines.judge_floor(self._case, figures)
        verdict = self._gated(engine, feeds, entry, entry.gate)
        if verdict.code == "improved" and self._baselines.renews_improved:
            return self._renewed(engine, feeds, entry.gate, verdict)
        return verdict

    def _measured_to_store(self, engine: EngineUnderTest, feeds: Arrays) -> Verdict:
        storing = Storing(self._case, self._gate_timer.setting(self._case))
        verdict = storing(engine, lambda: self._measure(engine, feeds))
        if verdict.to_store is None or not self._is_tuned:
            return verdict
        gate = msgspec.structs.replace(verdict.to_store.gate, timings=self._keep_timings())
        return replace(verdict, to_store=replace(verdict.to_store, gate=gate))

    def _renewed(
        self, engine: EngineUnderTest, feeds: Arrays, gate: Gate, verdict: Verdict
    ) -> Verdict:
        """Measure again what has improved; it is stored if the new measurements show it too.

        Those that have shown it first were looked at because they are low: they would be a baseline
        that the same engine does not reach.
        """
        again = self._measured_to_store(engine, feeds)
        if again.to_store is None:
            return again
        found = fmean(each.theta for each in again.to_store.gate.measurements)
        if found >= fmean(each.theta for each in gate.measurements):
            message = (
                f"{verdict.message}; not stored: a second measurement did not confirm the speed-up"
            )
            return replace(verdict, message=message)
        message = f"{verdict.message}; {again.message}"
        return replace(again, message=message, to_store=replace(again.to_store, renews=True))

    def _gated(self, engine: EngineUnderTest, feeds: Arrays, entry: Entry, gate: Gate) -> Verdict:
        setting = self._gate_timer.setting(self._case)
        odds = unlike(gate, setting)
        mend = self._baselines.storing_command(self._case)
        if odds:
            message = (
                f"{self._case.id} cannot be compared with its baseline: {odds}; "
                f"store it again with {mend}"
            )
            return Verdict("baseline", "inconclusive", "unlike-key", message)
        stored = Stored(
            thetas=[each.theta for each in gate.measurements],
            rhos=[each.rho for each in gate.measurements],
            engine_ms=[each.engine_ms for each in gate.measurements],
        )
        is_same_runtime = _versions(entry) == self._runtime()
        is_stored = bool(gate.artefact) and Path(engine.built.folder).name == gate.artefact
        is_rebuilt = is_stored and self._is_tuned and engine.built.content != gate.content
        # Run by another version of the library, the old artefact would be as slow as the new one.
        has_rival = bool(gate.artefact) and is_same_runtime and not is_stored
        beside = self._gate_timer.kept_folder(self._case, gate.artefact) if has_rival else ""
        first = self._measure(engine, feeds, beside)
        terms = terms_of(setting, first, gate, is_tuned=self._is_tuned)
        if self._is_tuned and (is_rebuilt or not is_stored):
            terms = with_rebuild(terms)
        if first.is_usable and (odd := odd_measurement(gate, first)):
            message = (
                f"{self._case.id} cannot be compared with its baseline: "
                f"{self._baselines.place_of(self._case)}.gate.{odd}; one of these figures is "
                f"wrong, or the device is another: look at that file, or store it again with {mend}"
            )
            return Verdict("baseline", "inconclusive", "odd-baseline", message)
        decision, taken = measure_until_decided(
            first,
            lambda: self._measure(engine, feeds, beside),
            stored,
            terms,
            cases=self._gated_cases(),
        )
        verdict = verdict_of(
            decision,
            taken,
            stored,
            terms,
            subject=self._case.id,
            mend=mend,
            since=self._since(
                entry, is_rebuilt=is_rebuilt, is_other=is_same_runtime and not is_stored
            ),
            is_same=is_same_runtime and is_stored and not is_rebuilt,
        )
        compared = {**_compared(entry, gate, taken), "beside": decision.beside, "terms": terms.name}
        return replace(verdict, details={**verdict.details, COMPARED: compared})

    def _since(self, entry: Entry, *, is_rebuilt: bool, is_other: bool) -> str:
        """Return what is another than when the baseline was stored: versions, what was built."""
        changed = [str(each) for each in changed_versions(_versions(entry), self._runtime())]
        if is_other and entry.gate and entry.gate.artefact:
            changed.append(
                "another artefact: the model, its weights, a setting or the adapter has changed"
            )
        if is_rebuilt:
            changed.append("built again, and its builder has chosen anew")
        return f"since then: {', '.join(changed)}" if changed else ""


def _compared(entry: Entry, gate: Gate, taken: Sequence[Measurement]) -> dict[str, Any]:
    """Return the stored measurements, those of now that are usable, and whence the former are."""
    provenance: Measured = entry.provenance  # type: ignore[assignment] # measured, if gated
    return {
        "date": provenance.date,
        "device": provenance.device,
        "versions": dict(provenance.versions),
        "stored": msgspec.to_builtins(gate.measurements),
        "now": [
            {
                "theta": each.theta,
                "rho": each.rho,
                "engine_ms": each.engine_ms,
                "rounds": each.kept,
                "duet": each.duet,
            }
            for each in taken
            if each.is_usable
        ],
    }


def _versions(entry: Entry) -> dict[str, str]:
    provenance: Measured = entry.provenance  # type: ignore[assignment] # measured, if gated
    return dict(provenance.versions)
