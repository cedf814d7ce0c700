"""Faults to plant inside an ONNX graph: each edits one node, and the graph stays valid.

A fault takes the model, edits it in place and returns the name of the tensor from which the values
are wrong: what a search for the first wrong layer has to find.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from pytest_infer.errors import ModelError

if TYPE_CHECKING:
    from pytest_infer.arrays import Array

Model: TypeAlias = Any
Node: TypeAlias = Any
GraphFault: TypeAlias = Callable[[Model], str]


def attribute(operator: str, index: int, name: str, value: Any) -> GraphFault:
    """Set an attribute of the ``index``-th node of a kind: pads, an axis, an epsilon."""

    def plant(model: Model) -> str:
        from onnx import helper

        node = _node(model, operator, index)
        others = [each for each in node.attribute if each.name != name]
        del node.attribute[:]
        node.attribute.extend([*others, helper.make_attribute(name, value)])
        return str(node.output[0])

    return plant


def weight(
    operator: str, index: int, change: Callable[[Array], Array], *, position: int = 1
) -> GraphFault:
    """Replace a constant input of the ``index``-th node of a kind by ``change`` of it."""

    def plant(model: Model) -> str:
        from onnx import numpy_helper

        node = _node(model, operator, index)
        found = {tensor.name: tensor for tensor in model.graph.initializer}
        old = node.input[position]
        if old not in found:
            raise ModelError(
                f"cannot change input {position} of {operator} {index}",
                why=f"{old!r} is computed, and no constant of the graph",
                mend="plant the fault in a node with weights",
            )
        values = numpy_helper.to_array(found[old])
        changed = change(values).astype(values.dtype)
        name = f"{old}.faulty"  # others may use the old one
        model.graph.initializer.append(numpy_helper.from_array(changed, name))
        node.input[position] = name
        return str(node.output[0])

    return plant


def replace_node(operator: str, index: int, kind: str, **attributes: Any) -> GraphFault:
    """Compute another operator of the same inputs."""

    def plant(model: Model) -> str:
        from onnx import helper

        node = _node(model, operator, index)
        new = helper.make_node(kind, node.input, node.output, node.name, **attributes)
        node.CopyFrom(new)
        return str(node.output[0])

    return plant


def skip(operator: str, index: int, *, keep: int = 0) -> GraphFault:
    """Pass an input of the ``index``-th node of a kind on, as if the node were not there."""

    def plant(model: Model) -> str:
        from onnx import helper

        node = _node(model, operator, index)
        node.CopyFrom(helper.make_node("Identity", [node.input[keep]], [node.output[0]], node.name))
        return str(node.output[0])

    return plant


def append(operator: str, index: int, kind: str, **attributes: Any) -> GraphFault:
    """Compute an operator of one input once more, on what a node puts out."""

    def plant(model: Model) -> str:
        from onnx import helper

        node = _node(model, operator, index)
        return _insert(
            model,
            node,
            [helper.make_node(kind, ["in"], ["out"], f"{node.name}.again", **attributes)],
        )

    return plant


def cast(operator: str, index: int, kind: str) -> GraphFault:
    """Store what a node puts out in another type (``FLOAT16``, ``BFLOAT16``) on its way."""

    def plant(model: Model) -> str:
        from onnx import TensorProto, helper

        node = _node(model, operator, index)
        down = helper.make_node(
            "Cast", ["in"], ["low"], f"{node.name}.down", to=TensorProto.DataType.Value(kind)
        )
        up = helper.make_node("Cast", ["low"], ["out"], f"{node.name}.up", to=TensorProto.FLOAT)
        return _insert(model, node, [down, up])

    return plant


def same_padding(operator: str, index: int) -> GraphFault:
    """Let a node pad as TensorFlow does: another side where strides do not fit the size."""

    def plant(model: Model) -> str:
        from onnx import helper

        node = _node(model, operator, index)
        others = [each for each in node.attribute if each.name not in {"pads", "auto_pad"}]
        del node.attribute[:]
        node.attribute.extend([*others, helper.make_attribute("auto_pad", "SAME_UPPER")])
        return str(node.output[0])

    return plant


def scale_sizes(
    operator: str, index: int, axis: int, *, factor: float, above: int = 0, odd_of: int = 0
) -> GraphFault:
    """Multiply what a node puts out by ``factor`` where its size along ``axis`` is wrong.

    It is wrong ``above`` a number, or where it is no multiple of ``odd_of``.
    """

    def plant(model: Model) -> str:
        from onnx import TensorProto, helper, numpy_helper

        node = _node(model, operator, index)
        name = str(node.output[0])
        constants = {
            "axis": np.array(axis, np.int64),
            "number": np.array(odd_of or above, np.int64),
            "more": np.array(factor - 1, np.float32),
            "none": np.array(0, np.int64),
            "one": np.array(1, np.float32),
        }
        for each, value in constants.items():
            model.graph.initializer.append(numpy_helper.from_array(value, f"{name}.{each}"))
        wrong = [
            helper.make_node("Mod", ["size", "number"], ["rest"]),
            helper.make_node("Greater", ["rest", "none"], ["wrong"]),
        ]
        chain = [
            helper.make_node("Shape", ["in"], ["shape"]),
            helper.make_node("Gather", ["shape", "axis"], ["size"]),
            *(wrong if odd_of else [helper.make_node("Greater", ["size", "number"], ["wrong"])]),
            helper.make_node("Cast", ["wrong"], ["share"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["share", "more"], ["add"]),
            helper.make_node("Add", ["add", "one"], ["factor"]),
            helper.make_node("Mul", ["in", "factor"], ["out"]),
        ]
        return _insert(model, node, chain)

    return plant


def _insert(model: Model, node: Node, chain: list[Node]) -> str:
    """Put a chain of nodes from ``in`` to ``out`` behind ``node``, whose readers read the chain."""
    name = str(node.output[0])
    exact = f"{name}.exact"
    node.output[0] = exact
    renamed = {"in": exact, "out": name}
    place = list(model.graph.node).index(node) + 1
    for offset, link in enumerate(chain):
        link.input[:] = [renamed.get(each, f"{name}.{each}") for each in link.input]
        link.output[:] = [renamed.get(each, f"{name}.{each}") for each in link.output]
        model.graph.node.insert(place + offset, link)
    return name


def _node(model: Model, operator: str, index: int) -> Node:
    found = [node for node in model.graph.node if node.op_type == operator]
    if not -len(found) <= index < len(found):
        raise ModelError(
            f"cannot plant a fault in {operator} {index}",
            why=f"the graph has {len(found)} of them",
            mend="choose an operator and an index that the graph has",
        )
    return found[index]
