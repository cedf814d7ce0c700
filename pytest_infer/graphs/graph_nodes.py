"""The nodes of an exported graph by the modules that they come from, without their weights."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

SCOPES = "pkg.torch.onnx.name_scopes"
"""In a node's metadata: the modules around it, as torch's exporter writes them."""

NO_MODULE = "_empty_nn_module_stack_from_metadata_hook"
"""What torch writes of a node that belongs to no module."""

MOST_DEEP = 32
"""Modules within each other that are told apart; a name may have thousands of dots."""

_QUOTED = re.compile(r"'([^']*)'")
_FUSED = re.compile(r"^[A-Za-z]*Fusion_(?:[A-Za-z]+_)??[A-Z]_")
"""What ONNX Runtime puts before the name of a weight that it has fused with another."""

_WEIGHT = re.compile(r"^(?:[A-Za-z_]\w*\.)(?:\w+\.)*\w+$")


@dataclass(frozen=True)
class GraphNode:
    """A node that computes something from the graph's inputs."""

    name: str
    operator: str
    path: tuple[str, ...]
    """Names of the modules around it, the outermost first; without what all nodes share."""
    outputs: tuple[str, ...]
    parents: tuple[int, ...]
    """Numbers of the nodes whose outputs it takes."""


def nodes_of(path: Path, like: Path | None = None) -> list[GraphNode]:
    """Return the nodes of an ONNX file in their order; constants, and what follows, are none.

    ``like`` is the file that this one was made from, if it lost its modules' names by that.
    """
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    known = _known_paths(like) if like else {}
    weights = {tensor.name for tensor in graph.initializer}
    makers = {value.name: -1 for value in graph.input if value.name not in weights}
    found: list[GraphNode] = []
    for node in graph.node:
        taken = [name for name in node.input if name in makers]
        if not taken:
            continue
        parents = sorted({makers[name] for name in taken} - {-1})
        others = [name for name in node.input if name not in makers]
        makers |= dict.fromkeys(filter(None, node.output), len(found))
        found.append(
            GraphNode(
                node.name or f"{node.op_type} {len(found)}",
                node.op_type,
                known.get(node.name) or module_path(node.name, _scopes(node), others),
                tuple(node.output),
                tuple(parents),
            )
        )
    return with_paths(_ordered(found, list(known)) if known else found)


def _ordered(nodes: Sequence[GraphNode], names: Sequence[str]) -> list[GraphNode]:
    """Return the nodes in the order of ``names``; one that is not there follows its parents."""
    places = {name: float(place) for place, name in enumerate(names)}
    keys: list[float] = []
    for node in nodes:
        after = max((keys[parent] for parent in node.parents), default=-1.0)
        keys.append(max(after, places.get(node.name, after)))
    order = sorted(range(len(nodes)), key=lambda number: (keys[number], number))
    moved = {number: place for place, number in enumerate(order)}
    return [
        replace(nodes[number], parents=tuple(sorted(moved[each] for each in nodes[number].parents)))
        for number in order
    ]


def module_path(name: str, scopes: str, weights: Iterable[str]) -> tuple[str, ...]:
    """Return the modules around a node; empty if nothing says it.

    torch's newer exporter writes them into the metadata, its older one into the node's name
    (``/layer1/layer1.0/conv1/Conv``). Else a weight is called as in its module.
    """
    modules = _QUOTED.findall(scopes)[:-1]
    if modules and modules[-1] not in {"", NO_MODULE}:
        return tuple(modules[-1].split(".")[:MOST_DEEP])
    if "/" in name.strip("/"):
        return _traced(name.strip("/").split("/")[:-1][:MOST_DEEP])
    for weight in weights:
        plain = _FUSED.sub("", weight)
        if _WEIGHT.match(plain):
            return tuple(plain.split(".")[:-1][:MOST_DEEP])
    return ()


def _known_paths(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the modules of each node by its name."""
    import onnx

    nodes = onnx.load(path, load_external_data=False).graph.node
    return {node.name: module_path(node.name, _scopes(node), ()) for node in nodes if node.name}


def _traced(parts: Sequence[str]) -> tuple[str, ...]:
    """Return the parts of a traced name, in which a module repeats the name of its container."""
    found: list[str] = []
    before = ""
    for part in parts:
        found.append(part.removeprefix(f"{before}.") if before else part)
        before = part
    return tuple(found)


def with_paths(nodes: Sequence[GraphNode]) -> list[GraphNode]:
    """Return the nodes with a path each: one that has none has its parent's, or its child's."""
    paths = [node.path for node in nodes]
    for number, node in enumerate(nodes):
        if not paths[number]:
            known = (paths[each] for each in reversed(node.parents) if paths[each])
            paths[number] = next(known, ())
    for number in reversed(range(len(nodes))):
        for parent in nodes[number].parents:
            paths[parent] = paths[parent] or paths[number]
    shared = len(_shared([path for path in paths if path]))
    return [replace(node, path=path[shared:]) for node, path in zip(nodes, paths, strict=True)]


def _shared(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the modules that all paths begin with."""
    columns = zip(*paths, strict=False)
    return tuple(first for first, *_ in takewhile(lambda each: len(set(each)) == 1, columns))


def _scopes(node: Any) -> str:
    return next((each.value for each in node.metadata_props if each.key == SCOPES), "")
