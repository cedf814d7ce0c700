"""The judge of baselines as a test gets it: it measures, and compares with what is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from pytest_infer.baselines.entry import is_other_kernel
from pytest_infer.baselines.versions import changed_versions
from pytest_infer.judges.gate import (
    MOST_TRIES,
    STORED_MEASUREMENTS,
    THROTTLED,
    Stored,
    measure_until_decided,
)
from pytest_infer.judges.gate_verdict import verdict_of
from pytest_infer.judges.terms import CPU, GPU, LAUNCH_BOUND, OTHER_GPU, SHARED_CPU
from pytest_infer.session.gate_timer import FEW_CORES
from pytest_infer.stored_gate import Gate, StoredMeasurement, kernel_ms
from pytest_infer.timing.samples import LAUNCH_BOUND_SHARE
from pytest_infer.verdict import ToStore, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_infer.arrays import Arrays
    from pytest_infer.baselines.chosen import ChosenBaselines
    from pytest_infer.baselines.entry import Entry, Measured
    from pytest_infer.case import Case
    from pytest_infer.judges.terms import Terms
    from pytest_infer.session.engine import EngineUnderTest
    from pytest_infer.session.gate_timer import GateTimer, Setting
    from pytest_infer.timing.look import Look
    from pytest_infer.timing.measurement import Measurement
    from pytest_infer.timing.samples import Samples

PROTOCOL = 1
"""What a measurement is: the reference net, the fixed kernel, the rounds, the statistic.

A change to one of them makes stored measurements worthless, and raises this number.
"""


class _WrongCallsError(Exception):
    """Timed calls put out something else; carries the verdict on them."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


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
    ) -> None:
        """Take ``timed``, which returns the verdict on timed calls that put out something else."""
        self._case = case
        self._baselines = baselines
        self._gate_timer = gate_timer
        self._gated_cases = gated_cases
        self._runtime = runtime
        self._timed = timed

    def __call__(self, engine: EngineUnderTest, feeds: Arrays, samples: Samples) -> Verdict:
        """Judge by the latency gate where measurements are stored, else ``samples`` by a floor.

        With ``--update-baselines`` measure what will be stored instead.
        """
        try:
            verdict = self._verdict(engine, feeds, samples)
        except _WrongCallsError as wrong:
            verdict = replace(wrong.verdict, judge="baseline")
        return replace(verdict, artefact=Path(engine.built.folder).name)

    def _measure(self, engine: EngineUnderTest, feeds: Arrays, beside: str = "") -> Measurement:
        """Return a measurement of calls that computed what the engine is asked for."""
        measured = self._gate_timer(engine, feeds, beside)
        if wrong := self._timed(measured.look):
            raise _WrongCallsError(wrong)
        return measured

    def _verdict(self, engine: EngineUnderTest, feeds: Arrays, samples: Samples) -> Verdict:
        if self._baselines.is_stored_anew(self._case):
            return self._to_store(engine, feeds)
        entry = self._baselines.gated(self._case)
        if entry is None or entry.gate is None:
            return self._baselines.judge_floor(self._case, samples.figures())
        verdict = self._gated(engine, feeds, entry, entry.gate)
        if verdict.code == "improved" and self._baselines.renews_improved:
            return self._renewed(engine, feeds, entry.gate, verdict)
        return verdict

    def _renewed(
        self, engine: EngineUnderTest, feeds: Arrays, gate: Gate, verdict: Verdict
    ) -> Verdict:
        """Measure again what has improved; it is stored if the new measurements show it too.

        Those that have shown it first were looked at because they are low: they would be a baseline
        that the same engine does not reach.
        """
        again = self._to_store(engine, feeds)
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
        unlike = _unlike(gate, setting)
        mend = self._baselines.storing_command(self._case)
        if unlike:
            message = (
                f"{self._case.id} cannot be compared with its baseline: {unlike}; "
                f"store it again with {mend}"
            )
            return Verdict("baseline", "inconclusive", "unlike-key", message)
        stored = Stored(
            [each.theta for each in gate.measurements], [each.rho for each in gate.measurements]
        )
        is_same_runtime = _versions(entry) == self._runtime()
        is_stored = bool(gate.artefact) and Path(engine.built.folder).name == gate.artefact
        # Run by another version of the library, the old artefact would be as slow as the new one.
        has_rival = bool(gate.artefact) and is_same_runtime and not is_stored
        beside = self._gate_timer.kept_folder(self._case, gate.artefact) if has_rival else ""
        first = self._measure(engine, feeds, beside)
        terms = terms_of(setting, first, gate.gpu)
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
        return verdict_of(
            decision,
            taken,
            stored,
            terms,
            subject=self._case.id,
            mend=mend,
            since=self._since(entry),
            is_same=is_same_runtime and is_stored,
        )

    def _since(self, entry: Entry) -> str:
        """Return which versions are others than those of the baseline."""
        changed = changed_versions(_versions(entry), self._runtime())
        return f"since then: {', '.join(map(str, changed))}" if changed else ""

    def _to_store(self, engine: EngineUnderTest, feeds: Arrays) -> Verdict:
        """Take as many measurements as a baseline has, of a fresh process each."""
        looks: list[Measurement] = []
        usable: list[Measurement] = []
        while len(usable) < STORED_MEASUREMENTS and len(looks) < 2 * MOST_TRIES:
            looks.append(self._measure(engine, feeds))
            if looks[-1].foreign_processes:
                return self._beside_others(looks[-1].foreign_processes)
            usable = [each for each in looks if each.is_usable]
        if len(usable) < STORED_MEASUREMENTS:
            told = "; ".join(each.told() for each in looks)
            is_throttled = any(reason in THROTTLED for each in looks for reason in each.dropped)
            message = (
                f"{self._case.id} will not be stored: {len(usable)} of {len(looks)} measurements "
                f"are usable ({told}); run again on a quiet{', cool' * is_throttled} device"
            )
            code = "inconclusive-throttled" if is_throttled else "inconclusive-noisy"
            return Verdict("baseline", "inconclusive", code, message)
        setting = self._gate_timer.setting(self._case)
        gate = Gate(
            protocol=PROTOCOL,
            clock=setting.clock,
            threads=setting.threads,
            rounds=setting.rounds,
            measurements=[
                StoredMeasurement(
                    theta=round(each.theta, 6),
                    rho=round(each.rho, 6),
                    engine_ms=float(f"{each.engine_ms:.6g}"),
                    rounds=each.kept,
                )
                for each in usable
            ],
            artefact=Path(engine.built.folder).name,
            gpu=_gpu_of(usable),
        )
        message = f"{self._case.id} will be stored ({len(usable)} measurements)"
        return Verdict("baseline", "new", "to-be-stored", message, to_store=ToStore(gate))

    def _beside_others(self, others: Sequence[str]) -> Verdict:
        """Refuse to store what was measured beside other processes: it would hide a regression."""
        message = (
            f"{self._case.id} will not be stored: others are on the GPU: {', '.join(others)}; "
            "end them, or choose another GPU by --infer-device"
        )
        return Verdict("baseline", "inconclusive", "inconclusive-foreign", message)


def terms_of(setting: Setting, measurement: Measurement, stored_gpu: str) -> Terms:
    """Return the terms on which a case is gated: by its device, and what a first look shows.

    ``stored_gpu`` is the UUID of the GPU of the stored measurements.
    """
    if setting.clock == "monotonic":
        return SHARED_CPU if setting.cores <= FEW_CORES else CPU
    share = measurement.enqueue_share
    if share is not None and share >= LAUNCH_BOUND_SHARE:
        return LAUNCH_BOUND
    return GPU if stored_gpu and stored_gpu == measurement.gpu else OTHER_GPU


def odd_measurement(gate: Gate, first: Measurement) -> str:
    """Return which stored measurement contradicts what is measured now; empty if none does.

    The fixed kernel is the same work then and now, whatever became of the engine.
    """
    now_ms = kernel_ms(first.theta, first.rho, first.engine_ms)
    for number, each in enumerate(gate.measurements):
        if is_other_kernel(each.kernel_ms, now_ms):
            return f"measurements[{number}]: {each.told()}, which takes {now_ms:.3g} ms now"
    return ""


def _gpu_of(measurements: Sequence[Measurement]) -> str:
    """Return the UUID of the GPU of all of them; empty if there is no such one."""
    uuids = {each.gpu for each in measurements}
    return uuids.pop() if len(uuids) == 1 else ""


def _unlike(gate: Gate, setting: Setting) -> str:
    """Return what makes a stored entry another measurement than today's; empty if nothing does."""
    pairs = (
        ("protocol", gate.protocol, PROTOCOL),
        ("clock", gate.clock, setting.clock),
        ("threads", gate.threads, setting.threads),
        ("rounds", gate.rounds, setting.rounds),
    )
    return ", ".join(
        f"its {name} was {old}, and is {new} now" for name, old, new in pairs if old != new
    )


def _versions(entry: Entry) -> dict[str, str]:
    provenance: Measured = entry.provenance  # type: ignore[assignment] # measured, if gated
    return dict(provenance.versions)
