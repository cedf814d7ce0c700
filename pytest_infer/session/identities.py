"""Which device, libraries and adapter an engine's host has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.hosts.host_client import HostClient
from pytest_infer.session.kept import Kept

if TYPE_CHECKING:
    from pytest_infer.hosts.pool import HostPool


class Identities:
    """Asks each engine's host once what it is."""

    def __init__(self, hosts: HostPool) -> None:
        self._hosts = hosts
        self._kept = Kept()

    def device(self, engine: str, device: str) -> dict[str, Any]:
        """Return the fingerprint of a device of the machine on which an engine's host runs."""
        return self._kept.once(
            ("device", engine, device),
            lambda: HostClient(self._hosts.shared(engine)).device(
                device=device, doing=f"identify {device}"
            ),
        )

    def runtime(self, engine: str) -> dict[str, Any]:
        """Return the versions of an engine's libraries in its host."""
        return self._kept.once(
            ("runtime", engine),
            lambda: self._client(engine).runtime(engine=engine, doing=f"identify {engine}"),
        )

    def adapter(self, engine: str) -> list[list[str]]:
        """Return the code of an engine's adapter in its host."""
        return self._kept.once(
            ("adapter", engine),
            lambda: self._client(engine).adapter(engine=engine, doing=f"identify {engine}"),
        )

    def _client(self, engine: str) -> EngineClient:
        return EngineClient(self._hosts.shared(engine))
