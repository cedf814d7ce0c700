"""The baselines of one run, by the device on which each engine's cases run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.baselines.chosen import ChosenBaselines, identity_of
from pytest_infer.baselines.stored_median import stored_median
from pytest_infer.config import AUTO
from pytest_infer.devices.fingerprint import device_fingerprint
from pytest_infer.judges.drift import with_drift
from pytest_infer.judges.growth import with_growth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_infer.case import Case
    from pytest_infer.config import InferConfig
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.judges.budget import StoredMedian
    from pytest_infer.judges.growth import ResourceBudget
    from pytest_infer.session.identities import Identities
    from pytest_infer.verdict import Verdict


class RunBaselines:
    """Gives each case what it is compared with, chosen once per device."""

    def __init__(
        self, config: InferConfig, hosts: HostPool, identities: Callable[[], Identities]
    ) -> None:
        """Take ``identities``, which is called only for a device of another machine."""
        self._config = config
        self._hosts = hosts
        self._identities = identities
        self._chosen: dict[tuple[str, str], ChosenBaselines] = {}

    def at(self, engine: str, device: str) -> ChosenBaselines:
        """Return what an engine's cases are compared with on a device of its host's machine."""
        place = self._hosts.place(engine)
        key = place.machine, device
        if key not in self._chosen:
            if place.machine == self._hosts.here.machine:
                found = device_fingerprint(device)
            else:
                found = self._identities().device(engine, device)
            self._chosen[key] = ChosenBaselines(self._config, found)
        return self._chosen[key]

    def of(self, case: Case) -> ChosenBaselines:
        """Return what ``case`` is compared with."""
        return self.at(case.engine, case.device)

    def check(self, cases: Iterable[Case]) -> None:
        """Raise an error for baselines of any of the cases that cannot be read or stored."""
        for engine, device in {(case.engine, case.device) for case in cases}:
            self.at(engine, device).check()

    def count_gated(self, cases: Iterable[Case]) -> int:
        """Return how many cases the gate may fail, at least 1."""
        return max(1, sum(self.of(case).count_gated(case) for case in cases))

    def with_drift(self, case: Case, verdict: Verdict) -> Verdict:
        """Return a verdict of parity, or ``parity-drift`` if it passes far worse than is stored."""
        entry = self.of(case).own(case)
        stored = entry.figures if entry else None
        mend = self.of(case).storing_command(case)
        return with_drift(verdict, stored, subject=case.id, mend=mend)

    def with_growth(self, case: Case, budget: ResourceBudget | None, verdict: Verdict) -> Verdict:
        """Return a verdict of latency, or what its figures say of resources beside stored ones."""
        entry = self.of(case).own(case)
        stored = entry.figures if entry else None
        mend = self.of(case).storing_command(case)
        return with_growth(verdict, budget, stored, subject=case.id, mend=mend)

    def stored_median(self, case: Case) -> StoredMedian:
        """Return the p50 that was stored for ``case`` on its device, or why there is none."""
        return stored_median(
            case,
            self.of(case).baselines,
            identity_of(self._identities().device(case.engine, case.device)),
            is_named=self._config.baseline != AUTO,
            is_updating=self.of(case).is_stored_anew(case),
        )
