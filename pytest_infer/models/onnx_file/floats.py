"""A file's fractions in another type: what its nodes themselves say of types is written again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("FLOAT16", "BFLOAT16", "FLOAT", "DOUBLE")
"""The types of fractions that a precision replaces; those of 8 bits and less are quantized."""

_TYPE_ATTRIBUTES = {
    "Cast": "to", "EyeLike": "dtype", "RandomNormal": "dtype", "RandomNormalLike": "dtype",
    "RandomUniform": "dtype", "RandomUniformLike": "dtype", "Bernoulli": "dtype",
    "Multinomial": "dtype", "DequantizeLinear": "output_dtype", "QuantizeLinear": "precision",
    "MelWeightMatrix": "output_datatype", "BlackmanWindow": "output_datatype",
    "HannWindow": "output_datatype", "HammingWindow": "output_datatype",
    "Attention": "softmax_precision", "SequenceEmpty": "dtype",
}  # fmt: skip
"""By operator, the attribute that names a type."""

_FLOAT_BY_DEFAULT = {
    "RandomNormal", "RandomUniform", "MelWeightMatrix", "BlackmanWindow", "HannWindow",
    "HammingWindow",
}  # fmt: skip
"""Operators whose output is FLOAT where that attribute is left out."""


def retype(body: Any, target: str) -> None:
    """Let the nodes of a graph or function, and of graphs inside it, compute in ``target``.

    Initializers stay as they are: whoever computes the nodes converts them.
    """
    from onnx import TensorProto

    kind = TensorProto.DataType.Value(target)
    floats = {TensorProto.DataType.Value(name) for name in NAMES}
    for node in nodes_below(body):
        _retype_node(node, kind, floats)


def nodes_of(model: Any) -> Iterator[Any]:
    """Yield every node of a loaded model: of its graph, their subgraphs and its functions."""
    for body in (model.graph, *model.functions):
        yield from nodes_below(body)


def nodes_below(body: Any) -> Iterator[Any]:
    """Yield the nodes of a graph or function, and those of the graphs inside them."""
    for node in body.node:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from nodes_below(graph)


def _retype_node(node: Any, kind: int, floats: set[int]) -> None:
    from onnx.helper import make_attribute

    if node.op_type == "Constant":
        _retype_constant(node, kind)
    for attribute in node.attribute:
        for tensor in (attribute.t, *attribute.tensors):
            if tensor.data_type in floats:
                tensor.CopyFrom(_converted(tensor, kind))
    name = _TYPE_ATTRIBUTES.get(node.op_type, "")
    given = next((each for each in node.attribute if each.name == name), None)
    if given is not None and given.i in floats:
        given.i = kind
    elif given is None and node.op_type in _FLOAT_BY_DEFAULT:
        node.attribute.append(make_attribute(name, kind))
    if node.op_type == "ConstantOfShape" and not node.attribute:
        from onnx.helper import make_tensor

        node.attribute.append(make_attribute("value", make_tensor("value", kind, [1], [0.0])))


def _retype_constant(node: Any, kind: int) -> None:
    """Write a constant's bare numbers as a tensor, which has a type."""
    from onnx.helper import make_attribute, make_tensor

    for attribute in list(node.attribute):
        if attribute.ref_attr_name or attribute.name not in {"value_float", "value_floats"}:
            continue
        is_one = attribute.name == "value_float"
        values = [attribute.f] if is_one else list(attribute.floats)
        tensor = make_tensor("value", kind, [] if is_one else [len(values)], values)
        node.attribute.remove(attribute)
        node.attribute.append(make_attribute("value", tensor))


def _converted(tensor: Any, kind: int) -> Any:
    from onnx.helper import tensor_dtype_to_np_dtype
    from onnx.numpy_helper import from_array, to_array

    values = to_array(tensor)
    return from_array(values.astype(tensor_dtype_to_np_dtype(kind)), tensor.name)
