"""The overview: what became of each model in each engine and precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_infer.case import PRECISIONS
from pytest_infer.reports.page.cases import SIGNS, CaseView
from pytest_infer.reports.summary import SEVERITY


@dataclass(frozen=True)
class Cell:
    """The cases of one model in one engine and precision: their worst, and how many there are."""

    case: CaseView
    count: int
    bad: int
    """How many have the worst status."""

    @property
    def sign(self) -> str:
        """Return the sign of the worst status."""
        return SIGNS[self.case.status]

    @property
    def text(self) -> str:
        """Return the worst status, and of how many cases it is where they differ in number."""
        return f"{self.case.status} {self.bad}/{self.count}" if self.count > 1 else self.case.status


@dataclass(frozen=True)
class Matrix:
    """Columns are engines in precisions, rows are models."""

    engines: Sequence[tuple[str, int]]
    """Each with how many precisions it has."""
    precisions: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]


def matrix_of(cases: Sequence[CaseView]) -> Matrix:
    """Return the overview of all cases."""
    columns = sorted(
        {(each.engine, each.precision) for each in cases},
        key=lambda each: (each[0], PRECISIONS.index(each[1])),
    )
    grouped: dict[tuple[str, str, str], list[CaseView]] = {}
    for each in cases:
        grouped.setdefault((each.model, each.engine, each.precision), []).append(each)
    engines = list(dict.fromkeys(engine for engine, _ in columns))
    models = list(dict.fromkeys(each.model for each in cases))
    return Matrix(
        [(engine, sum(engine == each for each, _ in columns)) for engine in engines],
        [precision for _, precision in columns],
        [(model, [_cell(grouped.get((model, *column))) for column in columns]) for model in models],
    )


def _cell(cases: Sequence[CaseView] | None) -> Cell | None:
    if not cases:
        return None
    worst = min(cases, key=lambda each: SEVERITY.index(each.status))
    return Cell(worst, len(cases), sum(each.status == worst.status for each in cases))
