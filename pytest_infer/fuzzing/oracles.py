"""The oracle of each model, which cases of several engines share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.fuzzing.oracle import Oracle

if TYPE_CHECKING:
    from pytest_infer.case import Case
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.session.artefacts import Artefacts


class Oracles:
    """Keeps the latest oracle, for cases come model by model."""

    def __init__(self, artefacts: Artefacts, hosts: HostPool) -> None:
        self._artefacts = artefacts
        self._hosts = hosts
        self._found: dict[tuple[str, ...], Oracle] = {}

    def of(self, case: Case) -> Oracle:
        """Return eager mode for every shape of a case's model."""
        is_pruned = self._artefacts.graphs.request(case).is_pruned
        rival = self._artefacts.eager.rival(case, case.precision)
        key = (case.model, case.precision, rival.device, str(is_pruned))
        if key not in self._found:
            for old in list(self._found):
                self._found.pop(old).close()
            self._found[key] = Oracle(case, self._artefacts.eager, self._hosts)
        return self._found[key]
