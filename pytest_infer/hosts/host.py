"""What an engine host is to its caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pytest_infer.errors import InferError
    from pytest_infer.hosts.place import Place


class Host(Protocol):
    """Somewhere to run operations."""

    @property
    def place(self) -> Place:
        """Return where it runs."""
        ...

    @property
    def is_alive(self) -> bool:
        """Return whether it can still answer."""
        ...

    def call(
        self, operation: str, /, *, error: type[InferError], doing: str, **arguments: Any
    ) -> Any:
        """Return an operation's result; ``error`` is raised if the host dies or hangs over it."""
        ...

    def close(self) -> None:
        """End the process and everything it holds."""
        ...
