"""A picture of an exported graph, as rows of cells: what each layer was made from, and ran on.

It is small enough for a report: parts that repeat are drawn once, and what only moves data is
drawn together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from pytest_infer.graphs.blocks import blocks_of
from pytest_infer.graphs.layer_cover import is_heavy, layers_of_nodes

if TYPE_CHECKING:
    from pytest_infer.graphs.graph_nodes import GraphNode
    from pytest_infer.graphs.ran_layer import RanLayer

COLUMNS = 5
"""Cells beside each other; a longer row goes on below."""

MOST_LANES = 4
"""Branches that are drawn below each other."""

MOST_APART = 10
"""Cells of a row in which those that only move data are not drawn together."""

LONGEST_PERIOD = 12
"""Rows that repeat together."""

MOST_ROWS = 80
"""Rows of a picture; what is left is counted."""

MOVES = "moves or counts only,"
"""Said of layers that compute nothing."""

FOLDED = "in no layer: computed beforehand, or removed"

QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")

LONGEST_TEXT = 14
"""Characters of a cell."""

Kind: TypeAlias = Literal["computes", "moves", "folded"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class State:
    """A way in which layers ran."""

    text: str
    layers: int = 0
    nodes: int = 0
    kind: Kind = "computes"


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


@dataclass(frozen=True)
class Drawing:
    """A graph, and what became of it in an engine."""

    nodes: int
    layers: int
    """Those that nodes became; 0 where the engine does not show its layers."""
    states: Sequence[State]
    rows: Sequence[Row]
    left: int = 0
    """Rows that are not drawn."""


def drawing_of(nodes: Sequence[GraphNode], layers: Sequence[RanLayer], ran: str) -> Drawing:
    """Return the picture of a graph; where no layers are known, all of it ran as ``ran``."""
    owners = layers_of_nodes(nodes, layers) if layers else [None] * len(nodes)
    texts = [_state_text(layer) for layer in layers]
    owned = [FOLDED if own is None else texts[own] for own in owners] if layers else [ran] * len(nodes)
    taken = sorted({own for own in owners if own is not None})
    states = _states(owned, [texts[own] for own in taken])
    order = {state.text: number for number, state in enumerate(states)}
    units = [number if own is None else -1 - own for number, own in enumerate(owners)]
    blocks = blocks_of(_paths(nodes, owners), units)
    rows = [
        _row(block.name, block.nodes, nodes, owners, layers, [order[each] for each in owned])
        for block in blocks
    ]
    rows = _folded(rows)
    return Drawing(
        len(nodes), len(taken), states, rows[:MOST_ROWS], max(0, len(rows) - MOST_ROWS)
    )


def _paths(nodes: Sequence[GraphNode], owners: Sequence[int | None]) -> list[tuple[str, ...]]:
    """Return the module of each node: all that became one layer is where its main node is."""
    groups: dict[int, list[GraphNode]] = {}
    for node, own in zip(nodes, owners, strict=True):
        if own is not None:
            groups.setdefault(own, []).append(node)
    mains = {own: _main(group) for own, group in groups.items()}
    return [
        node.path if own is None else mains[own].path
        for node, own in zip(nodes, owners, strict=True)
    ]


def _main(group: Sequence[GraphNode]) -> GraphNode:
    """Return the node that multiplies, or else the first that does more than quantize."""
    heavy = (node for node in group if not _is_light(node.operator))
    other = (node for node in group if node.operator not in QUANTIZERS)
    return next(heavy, next(other, group[0]))


def _state_text(layer: RanLayer) -> str:
    return f"{layer.precision or MOVES} on {layer.place}"


def _states(owned: Sequence[str], texts: Sequence[str]) -> list[State]:
    """Return every state that nodes have: in which most layers compute first."""
    nodes, layers = Counter(owned), Counter(texts)
    kinds = {each: _kind(each) for each in nodes}
    ordered = sorted(
        nodes, key=lambda each: (KINDS.index(kinds[each]), -layers[each], -nodes[each], each)
    )
    return [State(each, layers[each], nodes[each], kinds[each]) for each in ordered]


def _kind(text: str) -> Kind:
    if text == FOLDED:
        return "folded"
    return "moves" if text.startswith(MOVES) else "computes"


def _row(
    name: str,
    numbers: Sequence[int],
    nodes: Sequence[GraphNode],
    owners: Sequence[int | None],
    layers: Sequence[RanLayer],
    states: Sequence[int],
) -> Row:
    """Return a block's cells, each with its place."""
    keys: dict[int, tuple[int, int]] = {}
    for number in numbers:
        own = owners[number]
        keys[number] = (0, number) if own is None else (1, own)
    groups: dict[tuple[int, int], list[int]] = {}
    for number in numbers:
        groups.setdefault(keys[number], []).append(number)
    parts = _joined([(list(group), states[group[0]], _text(key, group, nodes, layers))
                     for key, group in groups.items()])
    place = {number: index for index, (group, _, _) in enumerate(parts) for number in group}
    links = sorted({
        (place[parent], place[number])
        for number in numbers
        for parent in nodes[number].parents
        if parent in place and place[parent] != place[number]
    })
    cells = [
        Cell(text, state, len(group), nodes[group[0]].name) for group, state, text in parts
    ]
    return Row(name, _placed(cells, links), links)


def _text(
    key: tuple[int, int],
    group: Sequence[int],
    nodes: Sequence[GraphNode],
    layers: Sequence[RanLayer],
) -> str:
    """Return what a cell is called: the engine's word for a layer, with what was fused into it."""
    is_layer, number = key
    own = list(dict.fromkeys(nodes[each].operator for each in group))
    if not is_layer:
        return own[0]
    operator = layers[number].operator or own[0]
    kept = [each for each in own if each not in {*QUANTIZERS, _main([nodes[n] for n in group]).operator}]
    whole = "+".join([operator, *kept])
    return whole if len(whole) <= LONGEST_TEXT or not kept else f"{operator}+{len(kept)}"


Part = tuple[list[int], int, str]


def _joined(parts: Sequence[Part]) -> list[Part]:
    """Return a row's parts, those of one state that only move data together if there are many."""
    if len(parts) <= MOST_APART:
        return list(parts)
    found: list[Part] = []
    for group, state, text in parts:
        before = found[-1] if found else None
        if before and before[1] == state and _is_light(before[2]) and _is_light(text):
            found[-1] = (before[0] + group, state, _both(before[2], text))
        else:
            found.append((group, state, text))
    return found


def _is_light(text: str) -> bool:
    return not is_heavy(text)


def _both(first: str, second: str) -> str:
    begin = first.partition(" ")[0].rstrip("…")
    return first if begin == second or first.endswith("…") else f"{begin} …"


def _placed(cells: Sequence[Cell], links: Sequence[tuple[int, int]]) -> list[Cell]:
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


def _folded(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with those that repeat one after the other, alone or together, once."""
    signs = [(tuple(replace(each, name="") for each in row.cells), tuple(row.links)) for row in rows]
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
        if any(each == after for each, after in zip(first, first[1:], strict=False)):
            break  # what repeats by itself is told by itself
        while first == signs[start + period * times : start + period * (times + 1)]:
            times += 1
        if times > 1 and period * times > best[0] * best[1]:
            best = (period, times)
    return best
