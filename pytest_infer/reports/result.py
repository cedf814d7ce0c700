"""All that a run has found: what every report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_infer.reports.counts import Coverage
from pytest_infer.reports.history import Moment
from pytest_infer.reports.record import Record
from pytest_infer.reports.run_info import RunInfo


@dataclass(frozen=True)
class Result:
    """The records of a run, what was counted beside them, and how the run was made."""

    records: Sequence[Record]
    coverage: Coverage
    earlier: Sequence[Record] = ()
    """Records of attempts at tests that were made again: they count for nothing."""
    run: RunInfo = field(default_factory=RunInfo)
    history: Sequence[Moment] = ()
    """What earlier runs have added to a history, for the page."""
