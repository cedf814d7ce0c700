"""What hosts around another host have in common; each has a `call` of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_infer.hosts.host import Host
    from pytest_infer.hosts.place import Place


class WrappedHost:
    """Is where the other one is, and lives and ends with it."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def place(self) -> Place:
        """Return where it runs."""
        return self._host.place

    @property
    def is_alive(self) -> bool:
        """Return whether it can still answer."""
        return self._host.is_alive

    def close(self) -> None:
        """End the process."""
        self._host.close()
