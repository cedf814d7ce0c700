"""Under xdist's ``--dist load``, the tests of one case go to one worker.

They share an opened engine and its reference. Scattered, each worker would open both, and wait for
the one that builds an engine instead of building the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScheduling

from pytest_infer.case_id import case_in

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController


class CaseScheduling(LoadScheduling):  # type: ignore[misc] # xdist has no types
    """Hands out as many tests at a time as xdist does, and what else there is of their cases."""

    def _send_tests(self, node: WorkerController, num: int) -> None:
        """Send the first ``num`` pending tests, and every other of their cases."""
        assert self.collection is not None  # noqa: S101 - nothing is sent before
        first = self.pending[:num]
        cases = {case_in(self.collection[index]) for index in first} - {""}
        if cases:
            rest = self.pending[num:]
            first += [index for index in rest if case_in(self.collection[index]) in cases]
            sent = set(first)
            self.pending[:] = first + [index for index in rest if index not in sent]
        super()._send_tests(node, len(first))
