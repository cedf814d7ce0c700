"""The names of values in an exported graph: the spec's stay, and no inner value has one of them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def rename_inner_values(model: Any) -> None:
    """Give each inner value of an ``onnx_ir.Model`` that has an input's or output's name another.

    torch calls the result of an operator by the operator, and what is put out by the name that it
    is asked for: with `nn.Embedding` in a module and an output ``embedding`` there are two.
    """
    ends = [*model.graph.inputs, *model.graph.outputs]
    kept = {id(value) for value in ends}
    reserved = {value.name for value in ends}
    values = list(_values(model))
    used = reserved | {value.name for value in values}
    for value in values:
        if id(value) not in kept and value.name in reserved:
            value.name = next(
                name for n in count(1) if (name := f"{value.name}_inner_{n}") not in used
            )
            used.add(value.name)


def _values(model: Any) -> Iterator[Any]:
    """Yield the weights and the results of all nodes, those in subgraphs too."""
    import onnx_ir

    yield from list(model.graph.initializers.values())
    for node in onnx_ir.traversal.RecursiveGraphIterator(model.graph):
        yield from node.outputs
