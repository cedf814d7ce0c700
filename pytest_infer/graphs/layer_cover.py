"""Which layer of an engine each node of its exported graph became a part of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.graphs.graph_nodes import GraphNode
    from pytest_infer.graphs.ran_layer import RanLayer

APPENDED = frozenset({
    "Add", "BatchNormalization", "Clip", "Div", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish",
    "LeakyRelu", "Mul", "PRelu", "Pow", "Relu", "Sigmoid", "Silu", "Sub", "Tanh",
})  # fmt: skip
"""Operators that engines fuse into what is before them; others go into what follows."""

_HEAVY = re.compile(
    "conv|gemm|matmul|fullyconnected|attention|einsum|gru|lstm|rnn|norm|softmax|pool|kgen|myelin",
    re.IGNORECASE,
)

_ACTIVATION = re.compile("gelu|swish|silu|mish", re.IGNORECASE)
"""Operators that engines make of several nodes."""


def is_heavy(operator: str) -> bool:
    """Return whether an operator, by its name, does more than to move data or to add."""
    return _HEAVY.search(operator) is not None


def layers_of_nodes(nodes: Sequence[GraphNode], layers: Sequence[RanLayer]) -> list[int | None]:
    """Return the number of each node's layer; None of a node that no layer has taken.

    An engine names some of the nodes in each layer. One that is not named, between others that
    are, has been fused: into the layer before it, or into the one that follows.
    """
    found = _named(nodes, layers)
    for number, own in enumerate(list(found)):
        if own is not None and _is_made_of_more(layers[own].operator, nodes[number].operator):
            _take_back(number, nodes, layers, found)
    _append(nodes, found)
    for number in reversed(range(len(nodes))):
        own = found[number]
        for parent in nodes[number].parents if own is not None else ():
            if found[parent] is None:
                found[parent] = own
    return found


def _named(nodes: Sequence[GraphNode], layers: Sequence[RanLayer]) -> list[int | None]:
    """Return the layer of each node that one names; a node's own name counts before a tensor's."""
    by_name = {node.name: number for number, node in enumerate(nodes)}
    makers = {name: number for number, node in enumerate(nodes) for name in node.outputs}
    found: list[int | None] = [None] * len(nodes)
    for place, layer in enumerate(layers):
        for name in layer.covers:
            number = by_name.get(name, makers.get(name))
            if number is not None and found[number] is None:
                found[number] = place
    return found


def _is_made_of_more(layer: str, node: str) -> bool:
    """Return whether a layer's operator is not its last node's: what is before belongs to it."""
    return layer != node and (is_heavy(layer) or _ACTIVATION.search(layer) is not None)


def _take_back(
    number: int,
    nodes: Sequence[GraphNode],
    layers: Sequence[RanLayer],
    found: list[int | None],
) -> None:
    """Give a layer that is named by the end of what it was made from what is before that.

    That is what only adds or scales, up to the node that multiplies if the layer does.
    """
    own = found[number]
    is_missed = own is not None and is_heavy(layers[own].operator)
    is_missed = is_missed and not is_heavy(nodes[number].operator)
    waiting = [number]
    while waiting:
        for parent in nodes[waiting.pop()].parents:
            is_heavy_one = is_heavy(nodes[parent].operator)
            takes = is_missed if is_heavy_one else nodes[parent].operator in APPENDED
            if found[parent] is None and takes:
                found[parent] = own
                waiting += [] if is_heavy_one else [parent]


def _append(nodes: Sequence[GraphNode], found: list[int | None]) -> None:
    """Give each such node that is not named to the latest layer among its parents'."""
    for number, node in enumerate(nodes):
        if found[number] is None and node.operator in APPENDED:
            known = [
                each for each in (found[parent] for parent in node.parents) if each is not None
            ]
            found[number] = max(known, default=None)
