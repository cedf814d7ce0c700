"""Tiny ONNX files, made by onnx.helper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Files:
    """Writes models of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(
        self,
        nodes: list[Any],
        inputs: list[Any],
        outputs: list[Any],
        weights: dict[str, Any] | None = None,
        *,
        name: str = "net",
        opset: int = 18,
        domains: dict[str, int] | None = None,
        **options: Any,
    ) -> Path:
        """Write a graph; return the path."""
        stored = [numpy_helper.from_array(value, key) for key, value in (weights or {}).items()]
        graph = helper.make_graph(nodes, "graph", inputs, outputs, stored)
        sets = {"": opset, **(domains or {})}
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(*each) for each in sets.items()],
            ir_version=10,
        )
        path = self.folder / f"{name}.onnx"
        onnx.save_model(model, path, **options)
        return path

    def product(self, **options: Any) -> Path:
        """Write a matrix product with a softmax: x (N, 4) to y (N, 3)."""
        weights = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
        nodes = [
            helper.make_node("MatMul", ["x", "w"], ["scores"], name="product"),
            helper.make_node("Softmax", ["scores"], ["y"], name="soft"),
        ]
        return self.write(
            nodes, [tensor("x", ["N", 4])], [tensor("y", ["N", 3])], {"w": weights}, **options
        )


def tensor(name: str, shape: list[int | str] | None, kind: int = TensorProto.FLOAT) -> Any:
    """Return an input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Write files into the test's folder."""
    return Files(tmp_path)


@pytest.fixture
def value() -> Callable[..., Any]:
    """Make an input or output."""
    return tensor
