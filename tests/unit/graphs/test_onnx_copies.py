"""What an engine is given of an ONNX file that is a model: the file, or a copy of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_infer.errors import ExportError, ModelError
from pytest_infer.graphs.export import check_graph, signature_of
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.graphs.module import module_from_graph
from pytest_infer.graphs.onnx_copies import is_file_itself, request_of_file, write_copy
from pytest_infer.models.onnx_file.evaluator import OnnxEvaluator
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, OnnxFacts, TensorSpec

SPEC = ModelSpec(
    "net",
    "tensor",
    {"x": TensorSpec(("batch", 4))},
    {"y": TensorSpec(("batch", 3))},
    Source(file="conftest.py"),
    onnx=OnnxFacts(13),
)
FEEDS = {"x": np.random.default_rng(0).standard_normal((2, 4)).astype(np.float32)}


@pytest.fixture
def file(tmp_path):
    """A product whose weights lie beside the file."""
    weights = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size])
        for name, size in (("x", 4), ("y", 3))
    ]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "graph",
        values[:1],
        values[1:],
        [numpy_helper.from_array(weights, "w")],
    )
    opsets = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    folder = tmp_path / "own"
    folder.mkdir()
    onnx.save_model(
        model, folder / "net.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    return folder / "net.onnx"


def test_own_opset():
    """An engine gets the file's operator set, whatever this package exports."""
    wanted = request_of_file(GraphRequest("onnx"), SPEC)
    assert wanted == GraphRequest("onnx", opset=13)
    assert is_file_itself(wanted, SPEC)
    module = replace(SPEC, onnx=None)
    assert request_of_file(GraphRequest("onnx"), module) == GraphRequest("onnx")
    assert not is_file_itself(GraphRequest("onnx"), module)


def test_own_precision():
    """A file in int8 is given as it is; one in fp32 is not, where fixed shapes are wanted."""
    quantized = replace(SPEC, onnx=OnnxFacts(13, precision="int8"))
    wanted = request_of_file(GraphRequest("onnx", precision="int8"), quantized)
    assert is_file_itself(wanted, quantized)
    assert not is_file_itself(GraphRequest("onnx", precision="int8", opset=13), SPEC)
    assert not is_file_itself(GraphRequest("onnx", is_static=True, opset=13), SPEC)


def test_old_engine():
    """An engine that reads older operator sets only does not get a newer file."""
    new = replace(SPEC, onnx=OnnxFacts(21))
    with pytest.raises(ExportError) as caught:
        request_of_file(GraphRequest("onnx", opset=17), new)
    assert "operator set 21" in caught.value.why
    assert request_of_file(GraphRequest("onnx", opset=17), SPEC).opset == 13


def test_pruning():
    """Weights of a file are not pruned."""
    with pytest.raises(ExportError) as caught:
        request_of_file(GraphRequest("onnx", is_pruned=True), SPEC)
    assert caught.value.what == "cannot prune net"


def test_static_copy(file, tmp_path):
    """A copy with the case's shapes has them throughout, its weights beside it, and the answers."""
    request = GraphRequest("onnx", opset=13, is_static=True)
    target, shapes = tmp_path / "graph.onnx", {"x": (2, 4)}
    write_copy(file, target, request, SPEC, shapes)
    assert (tmp_path / "w.bin").read_bytes() == (file.parent / "w.bin").read_bytes()
    check_graph(target, signature_of(SPEC, request, shapes), opset=13)
    (output,) = onnx.load(target).graph.output
    assert [dim.dim_value for dim in output.type.tensor_type.shape.dim] == [2, 3]
    before, after = (OnnxEvaluator(path, "fp64")(FEEDS)["y"] for path in (file, target))
    np.testing.assert_array_equal(before, after)


def test_half(file, tmp_path):
    """A copy in fp16 takes and gives fp16, and is off by its rounding."""
    pytest.importorskip("onnxruntime")
    target = tmp_path / "graph.onnx"
    write_copy(file, target, GraphRequest("onnx", precision="fp16", opset=13), SPEC, {})
    model = onnx.load(target)
    kinds = {
        value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)
    }
    assert kinds == {TensorProto.FLOAT16}
    exact = OnnxEvaluator(file, "fp64")(FEEDS)["y"]
    found = OnnxEvaluator(target, "fp64")({"x": FEEDS["x"].astype(np.float16)})["y"]
    assert 1e-5 < np.abs(found - exact).max() < 1e-2


def test_bf16_is_refused(file, tmp_path):
    """There is no converter to bf16, and nothing else is made instead."""
    with pytest.raises(ExportError) as caught:
        write_copy(file, tmp_path / "graph.onnx", GraphRequest("onnx", precision="bf16"), SPEC, {})
    assert caught.value.what == "cannot make a copy of net in bf16"


def test_no_module(file):
    """Who asks for a file's module is told that there is none."""
    with pytest.raises(ModelError) as caught:
        module_from_graph(Graph(SPEC, str(file), "digest", GraphRequest("module")))
    assert caught.value.what == "net has no module"
