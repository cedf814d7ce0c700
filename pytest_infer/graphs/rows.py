"""Rows of cells: where each cell is, and rows that repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

COLUMNS = 5
"""Cells beside each other; a longer row goes on below."""

MOST_LANES = 4
"""Branches that are drawn below each other."""

LONGEST_PERIOD = 12
"""Rows that repeat together."""


@dataclass(frozen=True)
class Cell:
    """One layer, or some that follow each other."""

    text: str
    state: int
    nodes: int
    """Of the exported graph."""
    name: str
    column: int = 0
    lane: int = 0


@dataclass(frozen=True)
class Row:
    """A block of the model."""

    name: str
    cells: Sequence[Cell]
    links: Sequence[tuple[int, int]] = ()
    """Pairs of cells, of which the second takes what the first puts out."""
    alike: int = 1
    """How often the row comes."""
    last: str = ""
    """The name of the last of those."""


def placed(cells: Sequence[Cell], links: Sequence[tuple[int, int]]) -> list[Cell]:
    """Return the cells in columns by how far they are from the row's begin, branches in lanes."""
    parents: dict[int, list[int]] = {}
    for before, after in links:
        parents.setdefault(after, []).append(before)
    columns: list[int] = []
    lanes: list[int] = []
    taken: set[tuple[int, int]] = set()
    for number in range(len(cells)):
        own = [each for each in parents.get(number, ()) if each < number]
        column = max((columns[each] + 1 for each in own), default=0)
        wanted = min((lanes[each] for each in own if columns[each] + 1 == column), default=0)
        column, lane = _free(column, wanted, taken)
        taken.add((column, lane))
        columns.append(column)
        lanes.append(lane)
    return [
        replace(cell, column=column, lane=lane)
        for cell, column, lane in zip(cells, columns, lanes, strict=True)
    ]


def _free(column: int, wanted: int, taken: set[tuple[int, int]]) -> tuple[int, int]:
    """Return the next free place from a column on."""
    lane = min(wanted, MOST_LANES - 1)
    while (column, lane) in taken:
        lane += 1
        if lane == MOST_LANES:
            column, lane = column + 1, 0
    return column, lane


def folded(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with those that repeat one after the other, alone or together, once."""
    signs = [
        (tuple(replace(each, name="") for each in row.cells), tuple(row.links)) for row in rows
    ]
    found: list[Row] = []
    start = 0
    while start < len(rows):
        period, times = _repetition(signs, start)
        found += [
            replace(row, alike=times, last=rows[start + offset + period * (times - 1)].name)
            for offset, row in enumerate(rows[start : start + period])
        ]
        start += period * times
    return found


def _repetition(signs: Sequence[object], start: int) -> tuple[int, int]:
    """Return how many rows from ``start`` on repeat, and how often: what covers the most."""
    best = (1, 1)
    for period in range(1, LONGEST_PERIOD + 1):
        times = 1
        first = signs[start : start + period]
        if any(each == after for each, after in pairwise(first)):
            break  # what repeats by itself is told by itself
        while first == signs[start + period * times : start + period * (times + 1)]:
            times += 1
        if times > 1 and period * times > best[0] * best[1]:
            best = (period, times)
    return best
