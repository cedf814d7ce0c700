"""Nodes of an ONNX graph are counted by what they compute in."""

import numpy as np
import pytest

from pytest_infer.graphs.onnx_precision import graph_precisions, operator_precisions

onnx = pytest.importorskip("onnx")


def graph(path, *nodes, kind="FLOAT"):
    """Write a chain of (operator, type of its output) from an input of type ``kind``."""
    types = {name: getattr(onnx.TensorProto, name) for name in (kind, *(out for _, out in nodes))}
    value = onnx.helper.make_tensor_value_info
    made = [
        onnx.helper.make_node(operator, [f"t{index}"], [f"t{index + 1}"])
        for index, (operator, _) in enumerate(nodes)
    ]
    inner = [value(f"t{i + 1}", types[out], [1]) for i, (_, out) in enumerate(nodes)]
    whole = onnx.helper.make_graph(
        made, "toy", [value("t0", types[kind], [1])], inner[-1:], value_info=inner[:-1]
    )
    onnx.save(onnx.helper.make_model(whole), path)
    return graph_precisions(path).as_dict()


def test_quantized_operators_are_int8(tmp_path):
    """The conversions around them are moves."""
    counts = graph(
        tmp_path / "graph.onnx",
        ("QuantizeLinear", "UINT8"),
        ("QLinearConv", "UINT8"),
        ("QLinearAdd", "UINT8"),
        ("QGemm", "UINT8"),
        ("DequantizeLinear", "FLOAT"),
        ("Softmax", "FLOAT"),
    )
    assert counts == {"products": {"int8": 2}, "others": {"int8": 1, "fp32": 1}}


def test_convolution_between_conversions_is_not_int8(tmp_path):
    """Q and DQ around a convolution that was not fused leave it in fp32."""
    counts = graph(
        tmp_path / "graph.onnx",
        ("QuantizeLinear", "INT8"),
        ("DequantizeLinear", "FLOAT"),
        ("Conv", "FLOAT"),
    )
    assert counts == {"products": {"fp32": 1}, "others": {}}


@pytest.mark.parametrize(
    ("kind", "precision"),
    [("FLOAT16", "fp16"), ("BFLOAT16", "bf16"), ("DOUBLE", "fp64"), ("INT32", "INT32")],
)
def test_type_of_the_input_decides(tmp_path, kind, precision):
    """A matrix product has the precision of what comes in, whatever operator it is."""
    counts = graph(tmp_path / "graph.onnx", ("MatMul", "FLOAT"), kind=kind)
    assert counts == {"products": {precision: 1}, "others": {}}


def test_integers_are_not_counted(tmp_path):
    """Arithmetic on shapes says nothing of the precision."""
    counts = graph(tmp_path / "graph.onnx", ("Add", "INT64"), kind="INT64")
    assert counts == {"products": {}, "others": {}}


def test_types_that_the_file_lacks_follow_from_the_nodes(tmp_path):
    """Scales, zero points and casts tell what comes out; all else has its input's type."""
    scale = onnx.numpy_helper.from_array(np.float16(1), "scale")
    zero = onnx.numpy_helper.from_array(np.int8(0), "zero")
    make = onnx.helper.make_node
    nodes = [
        make("QuantizeLinear", ["t0", "scale", "zero"], ["t1"]),
        make("Transpose", ["t1"], ["t2"]),
        make("DequantizeLinear", ["t2", "scale", "zero"], ["t3"]),
        make("Transpose", ["t3"], ["t4"]),
        make("MatMul", ["t4", "t4"], ["t5"]),
        make("Cast", ["t5"], ["t6"], to=onnx.TensorProto.BFLOAT16),
        make("Softmax", ["t6"], ["t7"]),
        make("Shape", ["t7"], ["t8"]),
        make("Add", ["t8", "t8"], ["t9"]),
    ]
    ends = [
        onnx.helper.make_tensor_value_info("t0", onnx.TensorProto.FLOAT16, [1]),
        onnx.helper.make_tensor_value_info("t9", onnx.TensorProto.INT64, [1]),
    ]
    whole = onnx.helper.make_graph(nodes, "toy", ends[:1], ends[1:], [scale, zero])
    onnx.save(onnx.helper.make_model(whole), tmp_path / "graph.onnx")
    counts = graph_precisions(tmp_path / "graph.onnx").as_dict()
    assert counts == {"products": {"fp16": 1}, "others": {"bf16": 1}}


def test_operators_alone():
    """Products decide; moves are not counted, other operators are what the fractions are."""
    operators = ["QLinearConv", "QLinearConv", "Gemm", "QLinearAdd", "Softmax", "QuantizeLinear"]
    counts = operator_precisions(operators, "fp32")
    assert counts.products == {"int8": 2, "fp32": 1}
    assert counts.others == {"int8": 1, "fp32": 1}
    assert counts.precision == "int8"
