"""How the host is asked that has the models' code and libraries."""

from __future__ import annotations

from typing import Any, Protocol

from pytest_infer.errors import InferError, ModelError


class ModelCall(Protocol):
    """Asks the host that has the models' code and libraries."""

    def __call__(
        self,
        operation: str,
        doing: str,
        *,
        error: type[InferError] = ModelError,
        **arguments: Any,
    ) -> Any:
        """Return the operation's result."""
        ...
