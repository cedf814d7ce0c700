"""The picture of a graph: where rows, cells and the lines between them are drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_infer.graphs.drawing import Drawing
from pytest_infer.graphs.rows import COLUMNS
from pytest_infer.reports.pictures import DRAWING

if TYPE_CHECKING:
    from pytest_infer.graphs.rows import Cell, Row

WIDTH = 640
LEFT, COLUMN = 150, 98
"""Where the first cell begins, and from there to the next."""

CELL_WIDTH, CELL_HEIGHT, LANE = 90, 20, 26
GUTTER = 8
"""Below cells, for lines that pass by some."""

PAD, LEAST_HEIGHT = 5, 36
BUS = 140
"""The line from row to row."""

MOST_LETTERS = 19
"""Characters of a row's name; its end says more than its begin."""

MOST_IN_CELL = 16
MOST_UNFITTED = 11
"""Characters that fit into a cell in any font; more are set closer."""

TEXT_WIDTH = CELL_WIDTH - 10

PALETTE = 8


@dataclass(frozen=True)
class Key:
    """A state in the legend."""

    letter: str
    style: str
    text: str
    layers: int
    nodes: int


@dataclass(frozen=True)
class Box:
    """A drawn cell."""

    x: int
    y: int
    key: Key
    text: str
    told: str
    is_marked: bool
    """It is not in the commonest state: it has that state's letter."""
    fitted: int
    """The width that the text is set to; 0 where it is short."""


@dataclass(frozen=True)
class Strip:
    """A drawn row."""

    y: int
    height: int
    name: str
    whole_name: str
    alike: str
    boxes: Sequence[Box]
    lines: str
    """A path."""
    is_odd: bool


@dataclass(frozen=True)
class Ribbon:
    """What the template draws of a graph."""

    height: int
    keys: Sequence[Key]
    strips: Sequence[Strip]
    told: str
    left: int


def drawing_in(details: Mapping[str, Any]) -> Drawing | str | None:
    """Return the drawing in a record's details, or a note that says why there is none."""
    found = details.get(DRAWING)
    if not isinstance(found, dict):
        return None
    if "rows" not in found:
        return str(found.get("note", "")) or None
    try:
        return msgspec.convert(found, Drawing)
    except msgspec.ValidationError as error:
        return f"its drawing cannot be read: {error}"


def ribbon_of(drawing: Drawing) -> Ribbon:
    """Return where everything of a drawing is."""
    keys = [
        Key(
            ascii_lowercase[number % len(ascii_lowercase)],
            f"k{number % PALETTE}" if state.kind == "computes" else state.kind,
            state.text,
            state.layers,
            state.nodes,
        )
        for number, state in enumerate(drawing.states)
    ]
    y = 0
    strips: list[Strip] = []
    for row in drawing.rows:
        strips.append(_strip(row, keys, y, is_odd=len(strips) % 2 == 1))
        y += strips[-1].height
    return Ribbon(y, keys, strips, told_of(drawing), drawing.left)


def told_of(drawing: Drawing) -> str:
    """Return in words what became of a graph."""
    begin = f"{drawing.nodes} nodes"
    if not drawing.layers:
        return f"{begin}; the engine does not show its layers"
    return f"{begin} became {drawing.layers} layers"


def _strip(row: Row, keys: Sequence[Key], y: int, *, is_odd: bool) -> Strip:
    lanes = _lanes(row)
    bands = _bands(row, lanes)
    tops: dict[int, int] = {}
    below = y + PAD
    for band, (count, has_gutter) in sorted(bands.items()):
        tops[band] = below
        below += count * LANE + GUTTER * has_gutter
    height = max(below + PAD - y, LEAST_HEIGHT if row.alike > 1 else 0)
    places = [_place(cell, lanes, tops) for cell in row.cells]
    return Strip(
        y,
        height,
        _end_of(row.name, MOST_LETTERS),
        row.name,
        _alike(row),
        [_box(cell, x, top, keys) for cell, (x, top) in zip(row.cells, places, strict=True)],
        _lines(row, places),
        is_odd,
    )


def _lanes(row: Row) -> dict[tuple[int, int], int]:
    """Return where each lane of a band is drawn: those without a cell there take no room."""
    used = sorted({(cell.column // COLUMNS, cell.lane) for cell in row.cells})
    return {key: sum(other[0] == key[0] and other < key for other in used) for key in used}


def _bands(row: Row, lanes: Mapping[tuple[int, int], int]) -> dict[int, tuple[int, bool]]:
    """Return how many lanes each band of `COLUMNS` columns has, and whether lines pass below."""
    counts = Counter(band for band, _ in lanes)
    passed = {
        row.cells[first].column // COLUMNS
        for first, second in _links(row)
        if _is_apart(row.cells[first], row.cells[second])
    }
    return {band: (count, band in passed) for band, count in counts.items()}


def _links(row: Row) -> list[tuple[int, int]]:
    count = len(row.cells)
    return [
        (first, second) for first, second in row.links if 0 <= first < count and 0 <= second < count
    ]


def _is_apart(first: Cell, second: Cell) -> bool:
    """Return whether a line between two cells of one band passes by others."""
    same = first.column // COLUMNS == second.column // COLUMNS
    return same and second.column - first.column != 1


def _place(
    cell: Cell, lanes: Mapping[tuple[int, int], int], tops: Mapping[int, int]
) -> tuple[int, int]:
    x = LEFT + (cell.column % COLUMNS) * COLUMN
    band = cell.column // COLUMNS
    return x, tops[band] + lanes[band, cell.lane] * LANE


def _box(cell: Cell, x: int, y: int, keys: Sequence[Key]) -> Box:
    key = keys[cell.state] if 0 <= cell.state < len(keys) else Key("?", "folded", "unknown", 0, 0)
    is_marked = cell.state != 0
    room = MOST_IN_CELL - 2 * is_marked
    text = cell.text if len(cell.text) <= room else f"{cell.text[: room - 1]}…"
    plural = "" if cell.nodes == 1 else "s"
    told = f"{cell.text}: {cell.nodes} node{plural} from {cell.name} on; {key.text}"
    fitted = TEXT_WIDTH if len(text) + 2 * is_marked > MOST_UNFITTED else 0
    return Box(x, y, key, text, told, is_marked, fitted)


def _lines(row: Row, places: Sequence[tuple[int, int]]) -> str:
    """Return a path with the lines between cells, and those from and to other rows."""
    links = _links(row)
    parts = []
    for first, second in links:
        (x, y), (to_x, to_y) = places[first], places[second]
        middle, to_middle = y + CELL_HEIGHT // 2, to_y + CELL_HEIGHT // 2
        right = x + CELL_WIDTH
        if _is_apart(row.cells[first], row.cells[second]):
            gutter = _gutter(row, places, row.cells[first].column // COLUMNS)
            parts.append(f"M{right - 12} {middle}V{gutter}H{to_x + 12}V{to_middle}")
        elif row.cells[second].column - row.cells[first].column == 1 and to_x > x:
            bend = right + (to_x - right) // 2
            parts.append(f"M{right} {middle}H{bend}V{to_middle}H{to_x}")
        else:
            parts.append(f"M{right} {middle}h6M{to_x - 6} {to_middle}h6")
    fed = {second for _, second in links}
    for number, (x, y) in enumerate(places):
        if number not in fed:
            begin = BUS if row.cells[number].column % COLUMNS == 0 else x - 6
            parts.append(f"M{begin} {y + CELL_HEIGHT // 2}H{x}")
    return "".join(dict.fromkeys(parts))


def _gutter(row: Row, places: Sequence[tuple[int, int]], band: int) -> int:
    return max(
        y + LANE + 1
        for cell, (_, y) in zip(row.cells, places, strict=True)
        if cell.column // COLUMNS == band
    )


def _alike(row: Row) -> str:
    if row.alike < 2:  # noqa: PLR2004 - itself
        return ""
    return f"{row.alike} times, to {_end_of(row.last, MOST_LETTERS - 10)}"


def _end_of(text: str, most: int) -> str:
    return text if len(text) <= most else f"…{text[1 - most :]}"
