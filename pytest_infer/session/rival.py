"""The other environments with which engines are compared: their hosts, and what is built there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_infer.engines import registry as engines
from pytest_infer.errors import InferError, OptionError
from pytest_infer.session.availability import Availability
from pytest_infer.session.built_engines import BuiltEngines
from pytest_infer.session.identities import Identities

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.case import Case
    from pytest_infer.config import InferConfig
    from pytest_infer.engines.protocol import BuiltEngine
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.reports.counts import Coverage
    from pytest_infer.session.case_graphs import CaseGraphs
    from pytest_infer.session.matrix import Matrix
    from pytest_infer.storage.cache import Cache

FLAG = "--infer-against"


class Rival:
    """Builds each engine in its other environment, from the graph that the run itself uses."""

    def __init__(
        self,
        config: InferConfig,
        hosts: HostPool,
        cache: Cache,
        graphs: CaseGraphs,
        timings: Callable[[Case], dict[str, bytes]],
    ) -> None:
        """Take the ``config`` of `rival_config` and its ``hosts``.

        ``timings`` returns what is kept of earlier builds beside the baselines, by version.
        """
        self._config = config
        self._engines = BuiltEngines(cache, hosts, graphs, timings)
        self.hosts = hosts
        self.identities = Identities(hosts)
        self.availability = Availability(config, hosts)

    def built(self, case: Case) -> BuiltEngine:
        """Return the engine of ``case``, built in the other environment.

        Raise what the build raises there, and say where it was.
        """
        try:
            return self._engines.of(case)
        except InferError as error:
            spec = self._config.hosts[case.engine]
            where = f"{error.what}, in the environment of {FLAG}={case.engine}={spec}"
            raise type(error)(where, why=error.why, mend=error.mend) from error

    def count(self, coverage: Coverage) -> None:
        """Add the engines that were built there, and the files that went there."""
        tally = self._engines.tally
        coverage.built += tally.made
        coverage.reused += tally.found
        coverage.notices += tally.notices
        coverage.add_sent(self.hosts.sent_bytes)


def rival_config(config: InferConfig) -> InferConfig:
    """Return the configuration in which each compared engine runs in its other environment."""
    return replace(config, hosts={**config.hosts, **config.against})


def check_rival(engine: str, spec: str, matrix: Matrix, hosts: HostPool, rival: Rival) -> None:
    """Raise `OptionError` unless an engine can be compared with itself as ``spec`` says.

    It must be one that the run tests, be able to run there, and be on the same machine and device.
    """
    engines.find(engine)
    what = f"{FLAG}={engine}={spec} compares nothing"
    tested = sorted({case.engine for case in matrix.cases})
    if engine not in tested:
        raise OptionError(
            what,
            why=f"this run does not test {engine}; it tests {', '.join(tested) or 'nothing'}",
            mend=f"add --engine={engine}, or leave out {FLAG}={engine}=…",
        )
    lack = rival.availability.missing(engine)
    if lack:
        raise OptionError(
            f"cannot run engine {engine!r} in the environment of {FLAG}={engine}={spec}",
            why=lack.why,
            mend=f"in that environment: {lack.mend}",
        )
    here, there = hosts.place(engine).machine, rival.hosts.place(engine).machine
    if here != there:
        raise OptionError(
            what,
            why=f"{engine} runs on {here}, and the other environment is on {there}: what differs "
            "would be the machines",
            mend=f"name the same machine in --infer-host={engine}=… and {FLAG}={engine}=…",
        )
