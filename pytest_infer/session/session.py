"""One pytest run's state: its options, matrix, hosts and artefacts."""

from __future__ import annotations

import atexit
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pytest_infer.baselines.chosen import ChosenBaselines, identity_of, store_by_device
from pytest_infer.baselines.stored_median import stored_median
from pytest_infer.border import border
from pytest_infer.config import AUTO, OFF
from pytest_infer.devices.device import Device
from pytest_infer.devices.fingerprint import device_fingerprint
from pytest_infer.devices.lock import DeviceLock
from pytest_infer.devices.nvml import gpu_in_turn, visible_gpus
from pytest_infer.engines import registry as engines
from pytest_infer.engines.missing import missing_gpu
from pytest_infer.errors import InferError, OptionError
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.hosts.engine_operations import EngineOperations
from pytest_infer.hosts.pool import HostPool
from pytest_infer.hosts.start import DEFAULT, INLINE
from pytest_infer.judges.drift import with_drift
from pytest_infer.models import registry as models
from pytest_infer.reports.report_file import write_report
from pytest_infer.session.artefacts import Artefacts
from pytest_infer.session.gate_timer import Measurer
from pytest_infer.session.matrix import make_matrix
from pytest_infer.session.timer import GpuTimer, Protocol
from pytest_infer.storage.cache import Cache
from pytest_infer.storage.lock_folder import lock_folder
from pytest_infer.storage.user_cache import user_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from pytest_infer.case import Case, Precision
    from pytest_infer.config import InferConfig
    from pytest_infer.engines.protocol import Missing
    from pytest_infer.hosts.place import Place
    from pytest_infer.judges.budget import StoredMedian
    from pytest_infer.models.source import Source
    from pytest_infer.reports.counts import Coverage
    from pytest_infer.session.explainer import Explainer
    from pytest_infer.session.matrix import Matrix, Origin
    from pytest_infer.timing.samples import Samples
    from pytest_infer.verdict import Verdict


class InferSession:
    """What the fixtures of one pytest process share; each part is made when first needed."""

    def __init__(self, config: InferConfig, origin: Origin | None = None) -> None:
        self.config = config
        self._origin = origin
        self._baselines: dict[tuple[str, str], ChosenBaselines] = {}
        self._scratch: TemporaryDirectory[str] | None = None

    def device_of(self, engine: str) -> str:
        """Return the device on which an engine's cases run, chosen where its host is."""
        return self._device_at(self.hosts.place(engine))

    def _device_at(self, place: Place) -> str:
        if self.config.device != AUTO:
            return self.config.device
        return "cuda:0" if place.gpus else "cpu"

    @cached_property
    def matrix(self) -> Matrix:
        """Return the cases that can run here, and why others cannot."""
        return make_matrix(
            self.config, self.device_of, self.missing, self.lack, origin=self._origin
        )

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

    def _lock_name(self, place: Place) -> str:
        name = self._device_at(place)
        device = Device.named(name)
        if device.is_gpu and device.index < len(place.gpus):
            name = place.gpus[device.index]  # CUDA counts from 0 whatever it is shown
        return name if place.machine == self.hosts.here.machine else f"{place.machine}-{name}"

    @cached_property
    def _own_gpu(self) -> str:
        """Return the GPU to which hosts on this machine are bound: workers have theirs in turn."""
        if self.config.worker is None or self.config.device != AUTO:
            return ""
        return gpu_in_turn(self.config.worker)

    def _shared(self, place: Place) -> AbstractContextManager[None]:
        """Hold the device at ``place`` together with other work that is not timed."""
        return self._lock(place).shared()

    @contextmanager
    def _going_on(self, place: Place) -> Iterator[None]:
        """Show those who wait for the device at ``place``, which this run holds, that it works."""
        self._lock(place).touch()
        yield

    def _lock(self, place: Place) -> DeviceLock:
        return _lock(self._lock_name(place), self.config.timeout_s)

    @contextmanager
    def exclusive(self, engines: Sequence[str]) -> Iterator[None]:
        """Hold every device on which one of the engines runs; all runs take them in one order."""
        names = {self._lock_name(self.hosts.place(engine)) for engine in engines}
        with ExitStack() as stack:
            for name in sorted(names):
                stack.enter_context(_lock(name, self.config.timeout_s).exclusive())
            yield

    @cached_property
    def hosts(self) -> HostPool:
        """Return the engine hosts, which end with this process even if pytest fails to say so."""
        atexit.register(self.close)
        return HostPool(
            self.config.hosts,
            timeout_s=self.config.timeout_s,
            sources=all_sources,
            cache=self.cache,
            guard=self._shared,
            measuring=self._going_on,
            gpu=self._own_gpu,
        )

    @cached_property
    def artefacts(self) -> Artefacts:
        """Return what is made once and kept."""
        return Artefacts(self.config, self.cache, self.hosts)

    @cached_property
    def explainer(self) -> Explainer:
        """Return what finds the layer of a failure, and packs its bundle."""
        from pytest_infer.session.explainer import Explainer

        return Explainer(self.artefacts, self.hosts, self._bundles)

    @cached_property
    def timer(self) -> GpuTimer:
        """Return what measures built engines."""
        return GpuTimer(self.hosts, self._protocol, self.exclusive)

    @property
    def _protocol(self) -> Protocol:
        return Protocol(self.config.warmup, self.config.calls)

    @cached_property
    def measurer(self) -> Measurer:
        """Return what measures built engines for the gate."""
        return Measurer(self.hosts, self.artefacts, self._protocol, self.exclusive)

    @cached_property
    def gated_cases(self) -> int:
        """Return how many cases of this run the gate may fail, at least 1."""
        cases = self.matrix.cases
        return max(1, sum(self.baselines(c.engine, c.device).count_gated(c) for c in cases))

    def take_samples(self) -> list[tuple[Case, Samples]]:
        """Return what was timed since the last time that this was asked."""
        if "timer" not in self.__dict__:
            return []
        taken, self.timer.taken = self.timer.taken, []
        return taken

    def baselines(self, engine: str, device: str) -> ChosenBaselines:
        """Return what an engine's cases are compared with on a device of its host's machine."""
        place = self.hosts.place(engine)
        key = place.machine, device
        if key not in self._baselines:
            is_here = place.machine == self.hosts.here.machine
            found = (
                device_fingerprint(device)
                if is_here
                else self.artefacts.identities.device(engine, device)
            )
            self._baselines[key] = ChosenBaselines(self.config, found)
        return self._baselines[key]

    def with_drift(self, case: Case, verdict: Verdict) -> Verdict:
        """Return a verdict of parity, or ``parity-drift`` if it passes far worse than is stored."""
        baselines = self.baselines(case.engine, case.device)
        entry = baselines.own(case)
        stored = entry.figures if entry else None
        mend = baselines.storing_command(case)
        return with_drift(verdict, stored, subject=case.id, mend=mend)

    def stored_median(self, case: Case) -> StoredMedian:
        """Return the p50 that was stored for ``case`` on its device, or why there is none."""
        return stored_median(
            case,
            self.baselines(case.engine, case.device).baselines,
            identity_of(self.artefacts.identities.device(case.engine, case.device)),
            is_named=self.config.baseline != AUTO,
            is_updating=self.baselines(case.engine, case.device).is_stored_anew(case),
        )

    def check(self) -> None:
        """Raise an error for anything in the options that cannot work here."""
        for engine in self.config.hosts:
            engines.find(engine)
        if Device.named(self.config.device).is_gpu and not self.config.hosts:
            self._check_gpu(self.config.device)
        for engine, device in {(case.engine, case.device) for case in self.matrix.cases}:
            self.baselines(engine, device).check()

    def _check_gpu(self, device: str) -> None:
        lack, present = missing_gpu(), len(visible_gpus())
        if lack:
            raise OptionError(f"cannot use device {device}", why=lack.why, mend=lack.mend)
        if Device.named(device).index >= present:
            raise OptionError(
                f"cannot use device {device}",
                why=f"the driver shows {present} GPU{'s' * (present > 1)}, counted from 0",
                mend=f"choose cuda:0{f' to cuda:{present - 1}' * (present > 1)}",
            )

    def missing(self, engine: str) -> Missing | None:
        """Return why ``engine`` cannot run in its host; the default host is like this process."""
        device = self.device_of(engine)
        if self._is_like_here(engine):
            return EngineOperations().missing(engine, device)
        client = EngineClient(self.hosts.shared(engine))
        return client.missing(engine=engine, device=device, doing=f"ask for {engine}")

    def lack(self, engine: str, precision: Precision) -> Missing | None:
        """Return why the engine in its host cannot run ``precision``, one of those it knows."""
        device = self.device_of(engine)
        if self._is_like_here(engine):
            return EngineOperations().lack(engine, precision, device)
        client = EngineClient(self.hosts.shared(engine))
        return client.lack(
            engine=engine, precision=precision, device=device, doing=f"ask for {engine}"
        )

    def _is_like_here(self, engine: str) -> bool:
        """Return whether an engine's host has what this process has, and need not be asked."""
        return self.config.hosts.get(engine, DEFAULT) in (DEFAULT, INLINE)

    def count(self, coverage: Coverage) -> None:
        """Note what could not run, and how many engines were built."""
        if "matrix" in self.__dict__:  # else it could not be made, which has been told
            coverage.exclusions = tuple(asdict(lack) for lack in self.matrix.exclusions)
        if "artefacts" in self.__dict__:
            tally = self.artefacts.engines.tally
            coverage.built, coverage.reused = tally.made, tally.found
            coverage.notices = self.artefacts.graphs.modules.notices + tally.notices
            coverage.probe_s = dict(self.artefacts.graphs.modules.probe_s)
        if "hosts" in self.__dict__:
            coverage.sent_bytes = self.hosts.sent_bytes

    def conclude(
        self,
        records: Sequence[dict[str, Any]],
        coverage: Coverage,
        earlier: Sequence[dict[str, Any]] = (),
    ) -> tuple[list[str], list[InferError]]:
        """Store baselines and write reports, as the options ask; ``earlier`` attempts are no part.

        Return what to show, and what could not be stored or written, which the former tells too.
        """
        jobs: list[Callable[[], list[str]]] = []
        if self.config.update:
            jobs.append(partial(store_by_device, self.config, records))
        jobs += [
            partial(_reported, kind, path, records, coverage, earlier)
            for kind, path in self.config.reports
        ]
        done = [_attempted(job) for job in jobs]
        errors = [each for each in done if isinstance(each, InferError)]
        lines = [line for each in done if not isinstance(each, InferError) for line in each]
        return [*lines, *map(str, errors)], errors

    def close(self) -> None:
        """End every host, and remove what was to be kept no longer."""
        atexit.unregister(self.close)
        if "hosts" in self.__dict__:
            self.hosts.close()
            self.cache.tidy()  # a host that was ended while it built has left a draft
        if self._scratch is not None:
            self._scratch.cleanup()


def all_sources() -> list[Source]:
    """Return where every model and engine of this run is defined, those of conftest files too."""
    sources = [model.spec.source for model in models.registered().values()]
    sources += [engines.source(name) for name in engines.registered()]
    return sorted(set(sources), key=str)


def _attempted(job: Callable[[], list[str]]) -> list[str] | InferError:
    """Return what a job has to show, or why it could not be done: the others are done anyway."""
    try:
        with border("store baselines or write reports"):
            return job()
    except InferError as error:
        return error


def _reported(
    kind: str,
    path: Path,
    records: Sequence[dict[str, Any]],
    coverage: Coverage,
    earlier: Sequence[dict[str, Any]],
) -> list[str]:
    write_report(kind, path, records, coverage, earlier)
    return [f"report: {path}"]


def _lock(name: str, limit_s: float) -> DeviceLock:
    return DeviceLock(lock_folder(), name, limit_s)
