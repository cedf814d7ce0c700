"""What each engine can run in its host, and on which device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.hosts.engine_operations import EngineOperations
from pytest_infer.hosts.start import DEFAULT, INLINE
from pytest_infer.session.device_choice import device_at

if TYPE_CHECKING:
    from pytest_infer.case import Precision
    from pytest_infer.config import InferConfig
    from pytest_infer.engines.protocol import Missing
    from pytest_infer.hosts.pool import HostPool


class Availability:
    """Asks each engine in its host; the default host has what this process has."""

    def __init__(self, config: InferConfig, hosts: HostPool) -> None:
        self._config = config
        self._hosts = hosts

    def device_of(self, engine: str) -> str:
        """Return the device on which an engine's cases run, chosen where its host is."""
        return device_at(self._hosts.place(engine), self._config)

    def missing(self, engine: str) -> Missing | None:
        """Return why ``engine`` cannot run in its host."""
        device = self.device_of(engine)
        if self._is_like_here(engine):
            return EngineOperations().missing(engine, device)
        client = EngineClient(self._hosts.shared(engine))
        return client.missing(engine=engine, device=device, doing=f"ask for {engine}")

    def lack(self, engine: str, precision: Precision) -> Missing | None:
        """Return why the engine in its host cannot run ``precision``, one of those it knows."""
        device = self.device_of(engine)
        if self._is_like_here(engine):
            return EngineOperations().lack(engine, precision, device)
        client = EngineClient(self._hosts.shared(engine))
        return client.lack(
            engine=engine, precision=precision, device=device, doing=f"ask for {engine}"
        )

    def _is_like_here(self, engine: str) -> bool:
        """Return whether an engine's host has what this process has, and need not be asked."""
        return self._config.hosts.get(engine, DEFAULT) in (DEFAULT, INLINE)
