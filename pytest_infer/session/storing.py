"""Measure a case to be stored for the latency gate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.judges.gate import MOST_TRIES, STORED_MEASUREMENTS, THROTTLED
from pytest_infer.session.gate_terms import PROTOCOL
from pytest_infer.stored_gate import Gate, StoredMeasurement
from pytest_infer.verdict import ToStore, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_infer.case import Case
    from pytest_infer.engines.protocol import BuiltEngine
    from pytest_infer.session.engine import EngineUnderTest
    from pytest_infer.session.gate_timer import Setting
    from pytest_infer.timing.measurement import Measurement


class Storing:
    """Makes of a case's measurements what its baseline holds, unless they are no good."""

    def __init__(self, case: Case, setting: Setting) -> None:
        self._case = case
        self._setting = setting

    def __call__(self, engine: EngineUnderTest, measure: Callable[[], Measurement]) -> Verdict:
        """Take as many measurements as a baseline has, each by ``measure`` in a fresh process.

        New: ``to-be-stored``; inconclusive: ``inconclusive-noisy``, ``inconclusive-throttled``,
        ``inconclusive-foreign``.
        """
        looks: list[Measurement] = []
        usable: list[Measurement] = []
        while len(usable) < STORED_MEASUREMENTS and len(looks) < 2 * MOST_TRIES:
            looks.append(measure())
            if looks[-1].foreign_processes:
                return self._beside_others(looks[-1].foreign_processes)
            usable = [each for each in looks if each.is_usable]
        if len(usable) < STORED_MEASUREMENTS:
            return self._too_few(usable, looks)
        gate = self._gate(usable, engine.built)
        message = f"{self._case.id} will be stored ({len(usable)} measurements)"
        return Verdict("baseline", "new", "to-be-stored", message, to_store=ToStore(gate))

    def _gate(self, usable: Sequence[Measurement], built: BuiltEngine) -> Gate:
        return Gate(
            protocol=PROTOCOL,
            clock=self._setting.clock,
            threads=self._setting.threads,
            rounds=self._setting.rounds,
            measurements=[
                StoredMeasurement(
                    theta=round(each.theta, 6),
                    rho=round(each.rho, 6),
                    engine_ms=float(f"{each.engine_ms:.6g}"),
                    rounds=each.kept,
                )
                for each in usable
            ],
            artefact=Path(built.folder).name,
            content=built.content,
            gpu=_gpu_of(usable),
        )

    def _too_few(self, usable: Sequence[Measurement], looks: Sequence[Measurement]) -> Verdict:
        told = "; ".join(each.told() for each in looks)
        is_throttled = any(reason in THROTTLED for each in looks for reason in each.dropped)
        message = (
            f"{self._case.id} will not be stored: {len(usable)} of {len(looks)} measurements "
            f"are usable ({told}); run again on a quiet{', cool' * is_throttled} device"
        )
        code = "inconclusive-throttled" if is_throttled else "inconclusive-noisy"
        return Verdict("baseline", "inconclusive", code, message)

    def _beside_others(self, others: Sequence[str]) -> Verdict:
        """Refuse to store what was measured beside other processes: it would hide a regression."""
        message = (
            f"{self._case.id} will not be stored: others are on the GPU: {', '.join(others)}; "
            "end them, or choose another GPU by --infer-device"
        )
        return Verdict("baseline", "inconclusive", "inconclusive-foreign", message)


def _gpu_of(measurements: Sequence[Measurement]) -> str:
    """Return the UUID of the GPU of all of them; empty if there is no such one."""
    uuids = {each.gpu for each in measurements}
    return uuids.pop() if len(uuids) == 1 else ""
