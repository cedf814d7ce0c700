"""What an engine put out in one call, and what its rows are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_infer.arrays import Array


@dataclass(frozen=True)
class Answer:
    """The named outputs of one call."""

    outputs: Mapping[str, Array]
    start: int = 0
    """The number of the photograph in its first row, counted from 0."""
    rows: tuple[str, ...] = ()
    """What is in each row: a photograph with its number and name."""
    place: str = ""
    """Which call it was, and in which layout it was fed; empty if it is the only one."""


@dataclass(frozen=True)
class Compared:
    """An answer, and eager's outputs for the same feeds."""

    answer: Answer
    truth: Mapping[str, Array]
    """In fp64."""
    eager: Mapping[str, Array] | None
    """At the case's own precision."""

    @property
    def size(self) -> int:
        """Return how many rows there are."""
        return len(next(iter(self.truth.values())))

    def label(self, row: int) -> str:
        """Return what a row is, and where it was: ``photograph 3 (coffee), row 2 of call 1``."""
        rows, place = self.answer.rows, self.answer.place
        where = [f"row {row}{' of' * bool(place)}"] if self.size > 1 or not rows else []
        place = " ".join([*where, place]).strip()
        return ", ".join(part for part in (rows[row] if rows else "", place) if part)
