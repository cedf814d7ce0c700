"""One pytest run's state: its options, matrix, hosts and artefacts."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from pytest_infer import engines, models
from pytest_infer.artefacts import Artefacts
from pytest_infer.cache import Cache
from pytest_infer.chosen_baselines import ChosenBaselines
from pytest_infer.config import AUTO
from pytest_infer.device_lock import DeviceLock
from pytest_infer.engine import Missing
from pytest_infer.errors import HostError, InferError, OptionError
from pytest_infer.fingerprint import device_fingerprint, gpu_count
from pytest_infer.hosts.engine_operations import EngineOperations
from pytest_infer.hosts.host import DEFAULT, INLINE
from pytest_infer.hosts.pool import HostPool
from pytest_infer.matrix import make_matrix
from pytest_infer.report_file import write_report
from pytest_infer.timer import GpuTimer, Protocol
from pytest_infer.torch_runner import missing_gpu

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_infer.config import InferConfig
    from pytest_infer.coverage import Coverage
    from pytest_infer.matrix import Matrix
    from pytest_infer.spec import Precision, Source


class InferSession:
    """What the fixtures of one pytest process share; each part is made when first needed."""

    def __init__(self, config: InferConfig) -> None:
        self.config = config

    @cached_property
    def device(self) -> str:
        """Return the device that cases run on."""
        if self.config.device != AUTO:
            return self.config.device
        return "cuda:0" if gpu_count() else "cpu"

    @cached_property
    def matrix(self) -> Matrix:
        """Return the cases that can run here, and why others cannot."""
        return make_matrix(self.config, self.device, self.missing, self.lack)

    @cached_property
    def lock(self) -> DeviceLock:
        """Return the lock on the device."""
        return DeviceLock(_user_cache() / "locks", self.device)

    @cached_property
    def hosts(self) -> HostPool:
        """Return the engine hosts."""
        return HostPool(
            self.config.hosts,
            timeout_s=self.config.timeout_s,
            sources=all_sources,
            guard=self.lock.shared,
        )

    @cached_property
    def artefacts(self) -> Artefacts:
        """Return what is made once and kept."""
        return Artefacts(self.config, Cache(self.config.cache or _user_cache()), self.hosts)

    @cached_property
    def timer(self) -> GpuTimer:
        """Return what measures built engines."""
        protocol = Protocol(self.config.warmup, self.config.calls)
        return GpuTimer(self.hosts, protocol, self.lock.exclusive)

    @cached_property
    def baselines(self) -> ChosenBaselines:
        """Return what cases are compared with, and where they are stored."""
        return ChosenBaselines(self.config, device_fingerprint(self.device))

    def check(self) -> None:
        """Raise an error for anything in the options that cannot work here."""
        for engine in self.config.hosts:
            engines.find(engine)
        if self.device.startswith("cuda") and not self.config.hosts:
            self._check_gpu()
        self.baselines.check()
        self.matrix  # noqa: B018 - its making checks engines, models and precisions

    def _check_gpu(self) -> None:
        lack, present = missing_gpu(), gpu_count()
        if lack:
            raise OptionError(f"cannot use device {self.device}", why=lack.why, mend=lack.mend)
        if int(self.device.partition(":")[2]) >= present:
            raise OptionError(
                f"cannot use device {self.device}",
                why=f"the driver shows {present} GPU{'s' * (present > 1)}, counted from 0",
                mend=f"choose cuda:0{f' to cuda:{present - 1}' * (present > 1)}",
            )

    def missing(self, engine: str) -> Missing | None:
        """Return why ``engine`` cannot run in its host; the default host is like this process."""
        return self._asked("missing", engine, device=self.device)

    def lack(self, engine: str, precision: Precision) -> Missing | None:
        """Return why the engine in its host cannot run ``precision``, one of those it knows."""
        return self._asked("lack", engine, precision=precision, device=self.device)

    def _asked(self, operation: str, engine: str, **arguments: Any) -> Missing | None:
        if self.config.hosts.get(engine, DEFAULT) in (DEFAULT, INLINE):
            found: Missing | None = getattr(EngineOperations(), operation)(engine, **arguments)
            return found
        lack = self.hosts.shared(engine).call(
            f"engine.{operation}",
            error=HostError,
            doing=f"ask for {engine}",
            engine=engine,
            **arguments,
        )
        return Missing(**lack) if lack else None

    def count(self, coverage: Coverage) -> None:
        """Note what could not run, and how many engines were built."""
        coverage.exclusions = tuple(asdict(lack) for lack in self.matrix.exclusions)
        if "artefacts" in self.__dict__:
            tally = self.artefacts.engines
            coverage.built, coverage.reused = tally.made, tally.found
            coverage.notices = tally.notices

    def conclude(
        self, records: Sequence[dict[str, Any]], coverage: Coverage
    ) -> tuple[list[str], list[InferError]]:
        """Store baselines and write reports, as the options ask.

        Return what to show, and what could not be stored or written, which the former tells too.
        """
        jobs: list[Callable[[], list[str]]] = []
        if self.config.update_baselines:
            jobs.append(partial(self.baselines.store, records))
        jobs += [
            partial(_reported, kind, path, records, coverage) for kind, path in self.config.reports
        ]
        done = [_attempted(job) for job in jobs]
        errors = [each for each in done if isinstance(each, InferError)]
        lines = [line for each in done if not isinstance(each, InferError) for line in each]
        return [*lines, *map(str, errors)], errors

    def close(self) -> None:
        """End every host."""
        if "hosts" in self.__dict__:
            self.hosts.close()


def all_sources() -> list[Source]:
    """Return where every model and engine of this run is defined, those of conftest files too."""
    sources = [model.spec.source for model in models.registered().values()]
    sources += [engines.source(name) for name in engines.registered()]
    return sorted(set(sources), key=str)


def _attempted(job: Callable[[], list[str]]) -> list[str] | InferError:
    """Return what a job has to show, or why it could not be done: the others are done anyway."""
    try:
        return job()
    except InferError as error:
        return error


def _reported(
    kind: str, path: Path, records: Sequence[dict[str, Any]], coverage: Coverage
) -> list[str]:
    write_report(kind, path, records, coverage)
    return [f"report: {path}"]


def _user_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("pytest-infer", appauthor=False)
