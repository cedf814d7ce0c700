"""What a quantized file looks like, by the engines that have to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_infer.quantization import quantize_onnx

if TYPE_CHECKING:
    from pathlib import Path

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def test_quantizers_come_in_pairs(tmp_path: Path) -> None:
    """Weights are fp32 in front of Q/DQ nodes, whose zero points are zero: TensorRT 8 wants it."""
    random = np.random.default_rng(0)
    weights = {
        "kernel": random.standard_normal((8, 4, 1, 1)).astype(np.float32),
        "bias": random.standard_normal(8).astype(np.float32),
    }
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["image", *weights], ["map"])],
        "toy",
        [onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ("batch", 4, 2, 2))],
        [onnx.helper.make_tensor_value_info("map", onnx.TensorProto.FLOAT, ("batch", 8, 2, 2))],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    source, target = tmp_path / "source.onnx", tmp_path / "target.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), source)

    quantize_onnx(source, {"image": random.random((4, 4, 2, 2), np.float32)}, target)

    found = onnx.load(target).graph
    values = {each.name: onnx.numpy_helper.to_array(each) for each in found.initializer}
    nodes = {
        kind: [node for node in found.node if node.op_type == f"{kind}Linear"]
        for kind in ("Quantize", "Dequantize")
    }
    assert len(nodes["Quantize"]) == len(nodes["Dequantize"]) == 3
    assert not [node for node in nodes["Dequantize"] if node.input[0] in values]
    (kernel,) = (values[node.input[0]] for node in nodes["Quantize"] if node.input[0] in values)
    assert (kernel == weights["kernel"]).all()
    assert not any(values[node.input[2]].any() for kind in nodes.values() for node in kind)
