"""The weights of an ONNX graph's products, and along which axis their inputs lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Array = npt.NDArray[Any]

_LEAST_DIMS = 2  # a vector's inputs have no outputs beside them


def weights_of(graph: Any) -> Iterator[tuple[Array, int]]:
    """Yield the constant weights of each convolution and matrix product, and their inputs' axis."""
    constants = _Constants(graph)
    for node in graph.node:
        for position, axis in _places(node):
            weights = constants.get(node.input[position])
            if weights is not None and weights.ndim >= _LEAST_DIMS:
                yield weights, axis


def _places(node: Any) -> list[tuple[int, int]]:
    """Return at which inputs of a node weights may be, and which of their axes are inputs."""
    if node.op_type == "Conv":
        return [(1, 1)]
    if node.op_type == "MatMul":
        return [(0, -1), (1, -2)]
    if node.op_type == "Gemm":
        turned = {each.name: bool(each.i) for each in node.attribute}
        return [(0, 0 if turned.get("transA") else 1), (1, 1 if turned.get("transB") else 0)]
    return []


class _Constants:
    """A graph's stored tensors, and what is made of one by turning or unpacking it alone."""

    def __init__(self, graph: Any) -> None:
        self._stored = {each.name: each for each in graph.initializer}
        self._makers = {node.output[0]: node for node in graph.node}

    def get(self, name: str) -> Array | None:
        """Return a tensor's values; None if they are computed. Quantized ones are integers."""
        from onnx import numpy_helper

        if name in self._stored:
            return np.asarray(numpy_helper.to_array(self._stored[name]))
        maker = self._makers.get(name)
        if maker is None:
            return None
        if maker.op_type == "Constant":
            return np.asarray(numpy_helper.to_array(maker.attribute[0].t))
        if maker.op_type in {"Cast", "DequantizeLinear", "Identity", "Transpose"}:
            return self._turned(maker)
        return None

    def _turned(self, maker: Any) -> Array | None:
        values = self.get(maker.input[0])
        if values is None or maker.op_type != "Transpose":
            return values
        order = next((list(each.ints) for each in maker.attribute if each.name == "perm"), None)
        return np.transpose(values, order)
