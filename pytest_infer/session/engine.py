"""A case's engine as a test gets it: built already, opened in its host when first called."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol
from warnings import warn

from pytest_infer.errors import InferError
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.hosts.memory_layout import CONTIGUOUS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import Case
    from pytest_infer.engines.protocol import BuiltEngine, Evidence
    from pytest_infer.graphs.ran_layer import RanLayer
    from pytest_infer.hosts.host import Host
    from pytest_infer.judges.burst import Burst


class SharedHosts(Protocol):
    """Has a host for each engine."""

    def shared(self, engine: str) -> Host:
        """Return the host of ``engine``, a new one if it died."""
        ...


class EngineUnderTest:
    """What a test gets as ``engine``: ``outputs = engine(feeds)``."""

    def __init__(self, case: Case, built: BuiltEngine, hosts: SharedHosts) -> None:
        self.case = case
        self.built = built
        self._hosts = hosts
        self._open: tuple[EngineClient, int] | None = None

    def __call__(self, feeds: Arrays, *, layout: str = CONTIGUOUS) -> dict[str, Array]:
        """Return the named outputs of host arrays; raise `RunError` if the host dies or hangs.

        The next call opens the engine again, in a new host. ``layout`` is how the arrays lie in
        memory when the engine gets them, one of `pytest_infer.hosts.memory_layout.LAYOUTS`.
        """
        client, runner = self._opened()
        return client.infer(runner=runner, feeds=feeds, layout=layout, doing=f"run {self.case.id}")

    def burst(self, feeds: Sequence[Arrays], first: Sequence[Arrays]) -> Burst:
        """Return what many calls in a row give, beside the ``first`` answers to the same feeds."""
        client, runner = self._opened()
        return client.burst(runner=runner, feeds=feeds, first=first, doing=f"run {self.case.id}")

    def open(self) -> None:
        """Open the engine now, not at its first call."""
        self._opened()

    def evidence(self) -> Evidence:
        """Return which precision and placement really ran."""
        client, runner = self._opened()
        return client.evidence(runner=runner, doing=f"question {self.case.id}")

    def layers(self) -> list[RanLayer]:
        """Return the engine's layers; none if it does not show them."""
        client, runner = self._opened()
        return client.layers(runner=runner, doing=f"look at the layers of {self.case.id}")

    def close(self) -> None:
        """Free the engine's memory, unless its host has gone and freed it already."""
        if self._open and self._open[0].host.is_alive:
            client, runner = self._open
            client.close(runner=runner, doing=f"close {self.case.id}")
        self._open = None

    def _opened(self) -> tuple[EngineClient, int]:
        if self._open is None or not self._open[0].host.is_alive:
            client = EngineClient(self._hosts.shared(self.case.engine))
            runner = client.open(built=self.built, doing=f"open {self.case.id}")
            self._open = client, runner
        return self._open


@contextmanager
def under_test(case: Case, built: BuiltEngine, hosts: SharedHosts) -> Iterator[EngineUnderTest]:
    """Give an engine to a test, and close it afterwards.

    An engine that cannot be closed is a warning: its own tests are over by then, and an error
    would be counted as the next case's.
    """
    engine = EngineUnderTest(case, built, hosts)
    try:
        yield engine
    finally:
        try:
            engine.close()
        except InferError as error:
            warn(str(error), RuntimeWarning, stacklevel=2)
