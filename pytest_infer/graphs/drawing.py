"""A picture of an exported graph, as rows of cells: what each layer was made from, and ran on.

It is small enough for a report: parts that repeat are drawn once, and what only moves data is
drawn together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from pytest_infer.graphs.blocks import Block, blocks_of
from pytest_infer.graphs.graph_nodes import GraphNode
from pytest_infer.graphs.layer_cover import is_heavy, layers_of_nodes
from pytest_infer.graphs.ran_layer import RanLayer
from pytest_infer.graphs.rows import Cell, Row, folded, placed

MOST_APART = 10
"""Cells of a row in which those that only move data are not drawn together."""

MOST_ROWS = 80
"""Rows of a picture; what is left is counted."""

MOVES = "moves or counts only,"
"""Said of layers that compute nothing."""

FOLDED = "in no layer: computed beforehand, or removed"

QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")

LONGEST_TEXT = 16
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
    owned = (
        [FOLDED if own is None else texts[own] for own in owners] if layers else [ran] * len(nodes)
    )
    taken = sorted({own for own in owners if own is not None})
    states = _states(owned, [texts[own] for own in taken])
    order = {state.text: number for number, state in enumerate(states)}
    units = [number if own is None else -1 - own for number, own in enumerate(owners)]
    blocks = blocks_of(_paths(nodes, owners), units)
    graph = _Graph(nodes, owners, layers, [order[each] for each in owned])
    rows = folded([graph.row(block) for block in blocks])
    return Drawing(len(nodes), len(taken), states, rows[:MOST_ROWS], max(0, len(rows) - MOST_ROWS))


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
    heavy = (node for node in group if is_heavy(node.operator))
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


@dataclass(frozen=True)
class _Graph:
    """A graph, and of each node its layer and the number of its state."""

    nodes: Sequence[GraphNode]
    owners: Sequence[int | None]
    layers: Sequence[RanLayer]
    states: Sequence[int]

    def row(self, block: Block) -> Row:
        """Return a block's cells, each with its place."""
        groups: dict[tuple[bool, int], list[int]] = {}
        for number in block.nodes:
            own = self.owners[number]
            key = (False, number) if own is None else (True, own)
            groups.setdefault(key, []).append(number)
        parts = _joined(
            [(group, self.states[group[0]], self._text(group)) for group in groups.values()]
        )
        cells = [
            Cell(text, state, len(group), self.nodes[group[0]].name) for group, state, text in parts
        ]
        links = self._links([group for group, _, _ in parts])
        return Row(block.name, placed(cells, links), links)

    def _links(self, groups: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
        place = {number: index for index, group in enumerate(groups) for number in group}
        return sorted(
            {
                (place[parent], index)
                for number, index in place.items()
                for parent in self.nodes[number].parents
                if place.get(parent, index) != index
            }
        )

    def _text(self, group: Sequence[int]) -> str:
        """Return the engine's word for a layer with what was fused into it, or the node's own."""
        own = list(dict.fromkeys(self.nodes[each].operator for each in group))
        layer = self.owners[group[0]]
        if layer is None:
            return own[0]
        operator = self.layers[layer].operator or own[0]
        main = _main([self.nodes[each] for each in group]).operator
        fused = [each for each in own if each not in {*QUANTIZERS, main}]
        whole = "+".join([operator, *fused])
        return whole if len(whole) <= LONGEST_TEXT or not fused else f"{operator}+{len(fused)}"


Part = tuple[list[int], int, str]


def _joined(parts: Sequence[Part]) -> list[Part]:
    """Return a row's parts, those of one state that only move data together if there are many."""
    if len(parts) <= MOST_APART:
        return list(parts)
    found: list[Part] = []
    for group, state, text in parts:
        before = found[-1] if found else None
        if before and before[1] == state and not is_heavy(before[2] + text):
            found[-1] = (before[0] + group, state, _both(before[2], text))
        else:
            found.append((group, state, text))
    return found


def _both(first: str, second: str) -> str:
    begin = first.partition(" ")[0].rstrip("…")
    return first if begin == second or first.endswith("…") else f"{begin} …"
