"""The values that integer inputs of a file may have, where its nodes say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PASSING = frozenset(
    ("Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Slice")
)
"""Operators whose first output holds values of their first input, and no others."""

_INTEGERS = re.compile(r"INT|UINT")
_MASK = re.compile(r"(^|_)mask(_|$)")


def index_ranges(model: Any) -> dict[str, tuple[int, int]]:
    """Return the least and greatest value of integer inputs, by name.

    An input that picks rows of a weight (Gather, as of an embedding) has their indices: of several
    weights the shortest's. One that is called a mask, as tokenizers' are, is 0 or 1.
    """
    from onnx import TensorProto

    lengths = _weights(model)
    consumers = _consumers(model)
    found: dict[str, tuple[int, int]] = {}
    for value in model.graph.input:
        kind = TensorProto.DataType.Name(value.type.tensor_type.elem_type)
        if value.name in lengths or not _INTEGERS.match(kind):
            continue
        rows = list(_rows_picked(value.name, consumers, lengths))
        if rows:
            found[value.name] = (0, min(rows) - 1)
        elif _MASK.search(value.name.lower()):
            found[value.name] = (0, 1)
    return found


def _weights(model: Any) -> dict[str, tuple[int, ...]]:
    """Return the sizes of what the file itself holds, by name."""
    sizes = {each.name: tuple(each.dims) for each in model.graph.initializer}
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                sizes[node.output[0]] = tuple(attribute.t.dims)
    return sizes


def _consumers(model: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            found.setdefault(name, []).append(node)
    return found


def _rows_picked(
    name: str, consumers: Mapping[str, list[Any]], weights: Mapping[str, tuple[int, ...]]
) -> Iterator[int]:
    """Yield the number of rows of each weight that the values of a tensor pick from."""
    waiting, seen = [name], {name}
    while waiting:
        tensor = waiting.pop()
        for node in consumers.get(tensor, ()):
            if node.op_type == "Gather" and node.input[1] == tensor:
                if sizes := weights.get(node.input[0]):
                    yield sizes[_axis(node)]
            elif node.op_type in _PASSING and node.input[0] == tensor:
                fresh = node.output[0]
                if fresh not in seen:
                    seen.add(fresh)
                    waiting.append(fresh)


def _axis(node: Any) -> int:
    return next((int(each.i) for each in node.attribute if each.name == "axis"), 0)
