"""One pytest run's state: its options, matrix, hosts and artefacts."""

from __future__ import annotations

import atexit
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pytest_infer.baselines.chosen import check_name
from pytest_infer.config import OFF
from pytest_infer.engines import registry as engines
from pytest_infer.errors import unknown
from pytest_infer.hosts.pool import HostPool
from pytest_infer.judges.tasks import registry as tasks
from pytest_infer.models import registry as models
from pytest_infer.session.artefacts import Artefacts
from pytest_infer.session.availability import Availability
from pytest_infer.session.builds_ahead import BuildsAhead
from pytest_infer.session.device_choice import check_gpu, gpu_of_worker
from pytest_infer.session.device_locks import DeviceLocks
from pytest_infer.session.exclusion import wanted_of
from pytest_infer.session.experiment import experiment_matrix
from pytest_infer.session.gate_timer import GateTimer
from pytest_infer.session.held_devices import HeldDevices
from pytest_infer.session.matrix import Origin, known_models, make_matrix
from pytest_infer.session.pair_timer import PairTimer
from pytest_infer.session.rival import Rival, check_rival, rival_config
from pytest_infer.session.run_baselines import RunBaselines
from pytest_infer.session.timed_arm import CallCounts
from pytest_infer.session.timer import GpuTimer
from pytest_infer.session.wanted_models import read_specs, register_wanted
from pytest_infer.storage.cache import Cache
from pytest_infer.storage.user_cache import user_cache

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.case import Case
    from pytest_infer.config import InferConfig
    from pytest_infer.models.source import Source
    from pytest_infer.reports.counts import Coverage
    from pytest_infer.session.drawings import Drawings
    from pytest_infer.session.experiment import Experiment
    from pytest_infer.session.explainer import Explainer
    from pytest_infer.session.int8_loss import QuantizationLoss
    from pytest_infer.session.kept_artifacts import KeptArtifacts
    from pytest_infer.session.matrix import Matrix
    from pytest_infer.session.profiler import Profiler
    from pytest_infer.timing.samples import Samples


class InferSession:
    """What the fixtures of one pytest process share; each part is made when first needed."""

    def __init__(self, config: InferConfig, origin: Origin | None = None) -> None:
        self.config = config
        self._origin = origin
        self._locks = DeviceLocks(config)
        self.devices = HeldDevices(self._locks, lambda: self.ahead, lambda: self.hosts)
        self._scratch: TemporaryDirectory[str] | None = None
        self._wanted = register_wanted(config.models, config.inputs)  # before a host is started
        self.experiments: dict[Experiment, Matrix] = {}
        """The cases of tests that declare their own."""
        self.wants: list[Callable[[Case], bool]] = []
        """What each test that has its cases from the matrix wants of it."""

    @property
    def is_matrix_tested(self) -> bool:
        """Return whether some test has its cases from the matrix; else nothing is lacking."""
        return bool(self.wants)

    def _is_made(self, part: str) -> bool:
        """Return whether a part has been needed."""
        return part in self.__dict__

    @cached_property
    def matrix(self) -> Matrix:
        """Return the cases that can run here, and why others cannot."""
        asked = self.availability
        wanted = known_models(self._wanted, self._origin or Origin())
        wanted = read_specs(wanted, self.artefacts.client, self.cache)
        return make_matrix(self.config, asked.device_of, asked.missing, asked.lack, wanted=wanted)

    def experiment(self, wanted: Experiment) -> Matrix:
        """Return the cases of an experiment that can run here, and why others cannot."""
        if wanted not in self.experiments:
            found = experiment_matrix(wanted, self.config, self.availability)
            self.experiments[wanted] = found
        return self.experiments[wanted]

    @property
    def cases(self) -> tuple[Case, ...]:
        """Return every case of this run's tests, once they are collected."""
        own = self.matrix.cases if self.is_matrix_tested or not self.experiments else ()
        others = (case for each in self.experiments.values() for case in each.cases)
        return tuple(dict.fromkeys([*own, *others]))

    @cached_property
    def availability(self) -> Availability:
        """Return what knows which engines can run, and where."""
        return Availability(self.config, self.hosts)

    @cached_property
    def baselines(self) -> RunBaselines:
        """Return what cases are compared with."""
        return RunBaselines(self.config, self.hosts, lambda: self.artefacts.identities)

    @cached_property
    def cache(self) -> Cache:
        """Return where this machine keeps what is made once; without a cache, until the end."""
        if self.config.cache == OFF:
            self._scratch = TemporaryDirectory(prefix="pytest-infer-")
            return Cache(Path(self._scratch.name), is_temporary=True)
        return Cache(self.config.cache or user_cache())

    @property
    def _bundles(self) -> Path:
        """Return where bundles are kept, which are meant to outlive the run."""
        return user_cache() if self.config.cache == OFF else self.cache.root

    @cached_property
    def ahead(self) -> BuildsAhead:
        """Return what makes slow builds while tests of other engines run."""
        hold = self.cache.hold
        return BuildsAhead(lambda: self._pool(self.config), lambda folder: hold(Path(folder)))

    @cached_property
    def hosts(self) -> HostPool:
        """Return the engine hosts, which end with this process even if pytest fails to say so."""
        atexit.register(self.close)
        return self._pool(self.config)

    @cached_property
    def rival(self) -> Rival:
        """Return the other environments that ``--infer-against`` names."""
        config = rival_config(self.config)
        pool, graphs = self._pool(config), self.artefacts.graphs
        return Rival(config, pool, self.cache, graphs, self._timings)

    def _timings(self, case: Case) -> dict[str, bytes]:
        """Return what is kept of an engine's earlier builds beside its baselines."""
        return self.baselines.of(case).timings(case.engine)

    def _pool(self, config: InferConfig) -> HostPool:
        return HostPool(
            config.hosts,
            timeout_s=self.config.timeout_s,
            sources=all_sources,
            cache=self.cache,
            guard=self._locks.shared,
            alone_guard=lambda place: self.devices.alone_at([place]),
            ahead_guard=self._locks.shared_unless_held,
            fresh_guard=self._locks.going_on,
            gpu=gpu_of_worker(self.config),
        )

    @cached_property
    def artefacts(self) -> Artefacts:
        """Return what is made once and kept."""
        return Artefacts(
            self.config,
            self.cache,
            self.hosts,
            timings=self._timings,
            ahead=self.ahead,
        )

    @cached_property
    def explainer(self) -> Explainer:
        """Return what finds the layer of a failure, and packs its bundle."""
        from pytest_infer.session.explainer import Explainer

        return Explainer(self.artefacts, self.hosts, self._bundles)

    @cached_property
    def quantization_loss(self) -> QuantizationLoss:
        """Return what finds the layers in which int8 loses most."""
        from pytest_infer.session.int8_loss import QuantizationLoss

        return QuantizationLoss(self.artefacts, self.hosts, self.config.images)

    @cached_property
    def kept_artifacts(self) -> KeptArtifacts | None:
        """Return what keeps graphs and engines for people; None if nobody wants them."""
        from pytest_infer.session.kept_artifacts import KeptArtifacts

        root = self.config.artifacts
        return KeptArtifacts(root, self.hosts) if root else None

    @cached_property
    def drawings(self) -> Drawings:
        """Return what draws graphs, for reports."""
        from pytest_infer.session.drawings import Drawings

        return Drawings(self.artefacts)

    @cached_property
    def profiler(self) -> Profiler:
        """Return what finds out what layers take."""
        from pytest_infer.session.profiler import Profiler

        return Profiler(self.artefacts, self.hosts, self.devices.alone, self.drawings.modules)

    @cached_property
    def timer(self) -> GpuTimer:
        """Return what measures built engines."""
        return GpuTimer(self.hosts, self._counts, self.devices.held)

    @property
    def _counts(self) -> CallCounts:
        return CallCounts(self.config.warmup, self.config.calls)

    @cached_property
    def gate_timer(self) -> GateTimer:
        """Return what measures built engines for the gate."""
        return GateTimer(self.hosts, self.artefacts, self._counts, self.devices.held)

    @cached_property
    def pair_timer(self) -> PairTimer:
        """Return what measures an engine in two environments."""
        return PairTimer(self.devices.alone, self.gate_timer.setting)

    @cached_property
    def compared_cases(self) -> int:
        """Return how many cases of this run are compared with another environment, at least 1."""
        return max(1, sum(case.engine in self.config.against for case in self.cases))

    @cached_property
    def gated_cases(self) -> int:
        """Return how many cases of this run the gate may fail, at least 1."""
        return self.baselines.count_gated(self.cases)

    def take_samples(self) -> list[tuple[Case, Samples]]:
        """Return what was timed since the last time that this was asked."""
        if not self._is_made("timer"):
            return []
        taken, self.timer.taken = self.timer.taken, []
        return taken

    def check(self) -> None:
        """Raise an error for anything in the options that cannot work here."""
        check_name(self.config)
        for engine in self.config.hosts:
            engines.find(engine)
        if not self.config.hosts:
            check_gpu(self.config.device)
        known = {case.model for case in self.matrix.cases}
        for model in self.config.unquantized:
            if model not in known:
                raise unknown("model of --infer-unquantized", model, known)
        self.baselines.check(self.matrix.cases)
        for engine, spec in self.config.against.items():
            check_rival(engine, spec, self.matrix, self.hosts, self.rival)

    def count(self, coverage: Coverage) -> None:
        """Note what could not run, and add how many engines were built to what workers did."""
        is_tested = self.is_matrix_tested or not self.experiments
        if self._is_made("matrix") and is_tested:  # else it could not be made: that was reported
            exclusions = wanted_of(self.matrix.exclusions, self.wants)
            coverage.exclusions = tuple(each.told() for each in exclusions)
            coverage.unread = tuple(each.model for each in self.matrix.broken)
        for each in self.experiments.values():
            coverage.exclusions += tuple(lack.told() for lack in each.exclusions)
            coverage.notices += each.notices
        if self._is_made("artefacts"):
            tally, modules = self.artefacts.engines.tally, self.artefacts.graphs.modules
            coverage.built += tally.made
            coverage.reused += tally.found
            coverage.notices += modules.notices + tally.notices
            coverage.weights |= modules.weights
            coverage.add_probes(modules.probe_s)
        if self._is_made("hosts"):
            coverage.add_sent(self.hosts.sent_bytes)
        if self._is_made("rival"):
            self.rival.count(coverage)

    def close(self) -> None:
        """End every host, and remove what was to be kept no longer."""
        atexit.unregister(self.close)
        if self._is_made("ahead"):
            self.ahead.close()
        if self._is_made("rival"):
            self.rival.hosts.close()
        if self._is_made("hosts"):
            self.hosts.close()
            self.cache.tidy()  # a host that was ended while it built has left a draft
        if self._scratch is not None:
            self._scratch.cleanup()


def all_sources() -> list[Source]:
    """Return where every task, model and engine of this run is defined, conftest files too.

    Tasks come first: a model of one that is unknown is refused.
    """
    sources = models.sources()
    sources += [engines.source(name) for name in engines.registered()]
    return list(dict.fromkeys([*tasks.own_sources(), *sorted(set(sources), key=str)]))
