"""The attempts at a test: the last one counts, and those before it are kept apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.reports.record import Record

Records: TypeAlias = "list[Record]"

Run: TypeAlias = "tuple[str, str]"
"""A test's node id, and the worker it ran on: one test may run on each worker."""


class Attempts:
    """What tests have recorded, by the number of the attempt at them."""

    def __init__(self) -> None:
        self._runs: dict[Run, dict[int, Records]] = {}

    def take(self, run: Run, number: int, records: Sequence[Record]) -> None:
        """Add the records of one phase of an attempt."""
        self._runs.setdefault(run, {}).setdefault(number, []).extend(records)

    @property
    def records(self) -> Records:
        """Return the records of each test's last attempt."""
        return [each for found in self._runs.values() for each in found[max(found)]]

    @property
    def earlier(self) -> Records:
        """Return the records of the attempts before the last."""
        return [
            each
            for found in self._runs.values()
            for number, records in sorted(found.items())
            if number != max(found)
            for each in records
        ]

    @property
    def counts(self) -> tuple[int, int]:
        """Return how many tests were judged, and how many attempts were not the last.

        A test counts once, however many workers ran it, by its last attempt; an attempt counts if
        it recorded nothing, too.
        """
        judged = {test for (test, _), found in self._runs.items() if found[max(found)]}
        return len(judged), sum(max(found) - 1 for found in self._runs.values())
