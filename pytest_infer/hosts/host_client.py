"""The caller's side of `HostOperations`: what concerns the host itself, with types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.errors import HostError
from pytest_infer.hosts.place import Place
from pytest_infer.hosts.wire import as_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.hosts.host import Host
    from pytest_infer.models.draft import Reading
    from pytest_infer.models.source import Source


class HostClient:
    """Asks one host; each method is the operation of its name.

    ``doing`` completes "cannot ..." in the error that is raised if the host dies or hangs.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    def place(self, *, cache: str, token: str, content: str, doing: str) -> Place:
        """Return where the host runs; it sees the caller's files if the ``token`` is the same."""
        found = self._host.call(
            "host.place", error=HostError, doing=doing, cache=cache, token=token, content=content
        )
        return as_type(found, Place)

    def import_sources(
        self, *, sources: Sequence[Source], readings: Sequence[Reading] = (), doing: str
    ) -> None:
        """Import the caller's own models and engines, with what it has read of some of them."""
        self._host.call(
            "host.import_sources",
            error=HostError,
            doing=doing,
            sources=list(sources),
            readings=list(readings),
        )

    def quietest_core(self, *, doing: str) -> int | None:
        """Return the core of the host's machine that others use least; None if unknown."""
        core: int | None = self._host.call("host.quietest_core", error=HostError, doing=doing)
        return core

    def stay_on(self, *, core: int, doing: str) -> None:
        """Keep what the host loads from now on on one core."""
        self._host.call("host.stay_on", error=HostError, doing=doing, core=core)

    def device(self, *, device: str, doing: str) -> dict[str, Any]:
        """Return the fingerprint of a device of the host's machine."""
        found: dict[str, Any] = self._host.call(
            "host.device", error=HostError, doing=doing, device=device
        )
        return found
