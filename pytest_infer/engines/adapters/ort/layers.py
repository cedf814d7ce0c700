"""The nodes of an ONNX Runtime session as layers, by the graph that it has optimized."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_infer.graphs.onnx_precision import operator_precision
from pytest_infer.graphs.ran_layer import RanLayer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_ADDED = re.compile(r"(_nchwc|_token_\d+|_post_dq|_q_to_dq)+$")
"""What its optimizers put behind the names of nodes, or of tensors after which nodes are named."""

PROVIDER = "ExecutionProvider"


def ran_layers(session: Any, graph: Path, floating: str) -> list[RanLayer]:
    """Return the nodes with their providers; ONNX Runtime before 1.24 reports none.

    What was fused into a node is known by its name and by those of its outputs, which ONNX Runtime
    takes from the graph that it was given.
    """
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return []
    outputs = _outputs(graph)
    return [
        RanLayer(
            node.name,
            node.op_type,
            short_place(part.ep_name),
            operator_precision(node.op_type, floating),
            (*origins(node.name), *outputs.get(node.name, ())),
        )
        for part in session.get_provider_graph_assignment_info()
        for node in part.get_nodes()
    ]


def origins(name: str) -> tuple[str, ...]:
    """Return what a node may have been called before it was optimized."""
    return tuple(dict.fromkeys((name, _ADDED.sub("", name))))


def short_place(provider: str) -> str:
    """Return a provider's name as people say it."""
    return provider.removesuffix(PROVIDER) or provider


def _outputs(graph: Path) -> Mapping[str, Sequence[str]]:
    """Return the outputs of each node of a file by its name; none where onnx is not installed."""
    if find_spec("onnx") is None or not graph.is_file():
        return {}
    import onnx

    nodes = onnx.load(graph, load_external_data=False).graph.node
    return {node.name: list(node.output) for node in nodes if node.name}
