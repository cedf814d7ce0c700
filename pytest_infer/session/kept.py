"""What was made once in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Kept:
    """Keeps each thing that was made, under a key that says what it is."""

    def __init__(self) -> None:
        self._made: dict[Any, Any] = {}

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """Return what ``make`` returned when ``key`` was first asked for."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made
