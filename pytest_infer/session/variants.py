"""The same engine in other ways: other batches, opened again, built again, beside itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.errors import RunError
from pytest_infer.hosts.pool import HostPool
from pytest_infer.models import registry as models
from pytest_infer.session.engine import EngineUnderTest, under_test

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import Case
    from pytest_infer.hosts.host import Host
    from pytest_infer.session.artefacts import Artefacts

LEAST_ROWS = 2
"""With one row there is nothing to permute."""


def with_rows(case: Case) -> Case:
    """Return the case with as many rows as its variants have."""
    has_batch = models.find(case.model).spec.has_batch
    return replace(case, batch=max(case.batch, LEAST_ROWS)) if has_batch else case


def cases_of_variants(case: Case) -> list[Case]:
    """Return the cases whose engines `Variants` open: that with its rows, and that with one."""
    rows = with_rows(case)
    return [rows, replace(case, batch=1)] if rows.batch > 1 else [rows]


@dataclass(frozen=True)
class _Beside:
    """The hosts beside the shared ones."""

    hosts: HostPool

    def shared(self, engine: str) -> Host:
        """Return the other host of ``engine``."""
        return self.hosts.beside(engine)


class Variants:
    """What a test gets as ``variants``: other ways to the outputs of a case."""

    def __init__(self, case: Case, artefacts: Artefacts, hosts: HostPool) -> None:
        self._spec = models.find(case.model).spec
        self.case = with_rows(case)
        self._artefacts = artefacts
        self._hosts = hosts
        self._stack = ExitStack()
        self._engines: dict[int, EngineUnderTest] = {}
        self._outputs: dict[str, Array] | None = None

    @property
    def feeds(self) -> Arrays:
        """Return feeds of different rows, at least two."""
        return self._artefacts.models.feeds(self.case.model, self.case.batch)

    @property
    def outputs(self) -> dict[str, Array]:
        """Return the engine's outputs for `feeds`, from the first call of a runner."""
        if self._outputs is None:
            self._outputs = self.engine(self.feeds)
        return self._outputs

    def engine(self, feeds: Arrays) -> dict[str, Array]:
        """Return outputs of the engine that was built for as many rows as ``feeds`` has."""
        rows = self._rows(feeds)
        if rows not in self._engines:
            case = replace(self.case, batch=rows)
            built = self._artefacts.engines.of(case)
            self._engines[rows] = self._stack.enter_context(under_test(case, built, self._hosts))
        return self._engines[rows](feeds)

    def equal_rows(self) -> dict[str, Array]:
        """Return the outputs of a batch that repeats its first row."""
        rows = self.case.batch
        return self.engine(self._by_rows(lambda each: np.repeat(each[:1], rows, 0)))

    def reversed_rows(self) -> dict[str, Array]:
        """Return the outputs of the batch in reverse order."""
        return self.engine(self._by_rows(lambda each: each[::-1].copy()))

    def single_rows(self) -> dict[str, Array]:
        """Return the outputs of the rows one by one, joined; an output may have no dimension."""
        parts = [
            self.engine(self._by_rows(itemgetter(slice(row, row + 1))))
            for row in range(self.case.batch)
        ]
        return {
            name: np.concatenate([np.atleast_1d(part[name]) for part in parts]) for name in parts[0]
        }

    def reopened(self) -> dict[str, Array]:
        """Return the outputs of the same built engine, opened in another process."""
        with self._beside() as engine:
            return engine(self.feeds)

    def rebuilt(self) -> dict[str, Array]:
        """Return the outputs of an engine that was built again."""
        built = self._artefacts.engines.rebuilt(self.case)
        with under_test(self.case, built, self._hosts) as engine:
            return engine(self.feeds)

    def after_another_shape(self) -> dict[str, Array]:
        """Return the outputs after a call with one row, by the same runner if it takes that."""
        before, single = self.outputs, self._by_rows(itemgetter(slice(1)))
        del before
        try:
            self._engines[self.case.batch](single)
        except RunError:  # built for one shape: then the other shape's runner, in the same host
            self.engine(single)
        return self.engine(self.feeds)

    def concurrent(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return the outputs of two runners in two processes, which run at the same time."""
        before = self.outputs
        del before
        with self._beside() as other, ThreadPoolExecutor(2) as threads:
            other.open()
            both = [threads.submit(run, self.feeds) for run in (self.engine, other)]
            first, second = (each.result() for each in both)
        return first, second

    def _by_rows(self, change: Callable[[Array], Array]) -> dict[str, Array]:
        """Return the feeds with their rows changed; an input without rows stays as it is."""
        return {
            name: change(each) if self._spec.inputs[name].has_rows else each
            for name, each in self.feeds.items()
        }

    def _rows(self, feeds: Arrays) -> int:
        counts = [len(feeds[name]) for name, each in self._spec.inputs.items() if each.has_rows]
        return counts[0] if counts else self.case.batch

    def close(self) -> None:
        """Free every engine."""
        self._stack.close()

    @contextmanager
    def _beside(self) -> Iterator[EngineUnderTest]:
        built = self._artefacts.engines.of(self.case)
        with under_test(self.case, built, _Beside(self._hosts)) as engine:
            yield engine
