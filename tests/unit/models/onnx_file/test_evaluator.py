"""A file is computed node by node, in the precision that is asked for."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from pytest_infer.errors import RunError
from pytest_infer.models.onnx_file.evaluator import OnnxEvaluator

RANDOM = np.random.default_rng(1)


def random(*shape):
    """Return values that are standard normal."""
    return RANDOM.standard_normal(shape).astype(np.float32)


def test_fp64(files):
    """Weights, constants and sums are of fp64: the outputs are numpy's in fp64."""
    path = files.product()
    x = random(2, 4)
    weights = numpy_helper.to_array(onnx.load(path).graph.initializer[0]).astype(np.float64)
    scores = np.exp(x.astype(np.float64) @ weights)
    found = OnnxEvaluator(path, "fp64")({"x": x})["y"]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, scores / scores.sum(1, keepdims=True), rtol=1e-14)


def test_fp32(files):
    """In fp32 it differs from fp64 by the rounding of fp32, and by no more."""
    path, feeds = files.product(), {"x": random(64, 4)}
    exact = OnnxEvaluator(path, "fp64")(feeds)["y"]
    found = OnnxEvaluator(path, "fp32")(feeds)["y"]
    assert found.dtype == np.float32
    assert 0 < np.abs(found - exact).max() < 1e-6


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp16", np.float16), ("bf16", ml_dtypes.bfloat16)]
)
def test_half(files, precision, dtype):
    """In fp16 and bf16 every value fits into the type, and is as far off as its bits are few."""
    path, feeds = files.product(), {"x": random(64, 4)}
    exact = OnnxEvaluator(path, "fp64")(feeds)["y"]
    found = OnnxEvaluator(path, precision)(feeds)["y"]
    np.testing.assert_array_equal(found, found.astype(dtype).astype(np.float32))
    assert 1e-5 < np.abs(found - exact).max() < (2e-3 if precision == "fp16" else 2e-2)


@pytest.mark.parametrize("precision", ["int8", "tf32"])
def test_products_are_rounded(files, precision):
    """In int8 and tf32 only products lose bits: more than fp32 does, and less than 5 %."""
    path, feeds = files.product(), {"x": random(64, 4)}
    exact = OnnxEvaluator(path, "fp64")(feeds)["y"]
    error = np.abs(OnnxEvaluator(path, precision)(feeds)["y"] - exact).max()
    assert 1e-5 < error < 5e-2


def test_casts_follow(files, value):
    """A cast to FLOAT, a bare constant and an empty tensor are of fp64, too."""
    nodes = [
        helper.make_node("Cast", ["ids"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Constant", [], ["third"], value_float=0.25),
        helper.make_node("Shape", ["ids"], ["sizes"]),
        helper.make_node("ConstantOfShape", ["sizes"], ["zeros"]),
        helper.make_node("Mul", ["wide", "third"], ["part"]),
        helper.make_node("Add", ["part", "zeros"], ["y"]),
    ]
    path = files.write(nodes, [value("ids", ["N"], TensorProto.INT64)], [value("y", ["N"])])
    found = OnnxEvaluator(path, "fp64")({"ids": np.array([1, 2, 2**25 + 1])})["y"]
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, np.array([1, 2, 2**25 + 1]) / 4)


def test_subgraphs(files, value):
    """The branches of an If compute in the precision, with tensors from outside and their own."""

    def branch(name, factor):
        weight = numpy_helper.from_array(np.array(factor, np.float32), f"{name}_factor")
        node = helper.make_node("Mul", ["x", f"{name}_factor"], [name])
        return helper.make_graph([node], name, [], [value(name, ["N"])], [weight])

    node = helper.make_node(
        "If", ["flag"], ["y"], then_branch=branch("a", 0.1), else_branch=branch("b", 3.0)
    )
    path = files.write(
        [node], [value("x", ["N"]), value("flag", [], TensorProto.BOOL)], [value("y", ["N"])]
    )
    x = random(3)
    found = OnnxEvaluator(path, "fp64")({"x": x, "flag": np.array(True)})["y"]
    np.testing.assert_array_equal(found, x.astype(np.float64) * np.float64(np.float32(0.1)))


def test_external_data(files):
    """Weights beside the file are read from there."""
    inside, feeds = files.product(), {"x": random(2, 4)}
    beside = files.product(
        name="beside", save_as_external_data=True, location="beside.bin", size_threshold=0
    )
    assert (beside.parent / "beside.bin").stat().st_size == 48
    np.testing.assert_array_equal(
        OnnxEvaluator(inside, "fp64")(feeds)["y"], OnnxEvaluator(beside, "fp64")(feeds)["y"]
    )


@pytest.mark.parametrize("opset", [10, 13, 19, 21, 23])
def test_quantized(files, value, opset):
    """Q and DQ nodes round in fp64 as they say: to the nearest step, within the type."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    weights = {"scale": np.array(0.1, np.float32), "zero": np.array(3, np.uint8)}
    path = files.write(nodes, [value("x", ["N"])], [value("y", ["N"])], weights, opset=opset)
    x = np.array([-5, -0.14, 0.06, 1, 99], np.float32)
    scale = np.float64(np.float32(0.1))
    steps = np.clip(np.rint(x.astype(np.float64) / scale) + 3, 0, 255) - 3
    found = OnnxEvaluator(path, "fp64")({"x": x})["y"]
    np.testing.assert_allclose(found, steps * scale, rtol=1e-15)


def test_erf(files, value):
    """The error function has all bits of fp64, and so has what is made of it."""
    path = files.write(
        [helper.make_node("Gelu", ["x"], ["y"])], [value("x", ["N"])], [value("y", ["N"])], opset=20
    )
    x = random(9)
    expected = torch.nn.functional.gelu(torch.tensor(x).double()).numpy()
    np.testing.assert_allclose(OnnxEvaluator(path, "fp64")({"x": x})["y"], expected, rtol=1e-14)


def test_dynamic_quantization(files, value):
    """The scale is a 255th of the range, in fp64, and zero is among the steps."""
    outputs = [
        value("y", [3], TensorProto.UINT8), value("s", []), value("z", [], TensorProto.UINT8),
    ]  # fmt: skip
    node = helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"])
    path = files.write([node], [value("x", [3])], outputs)
    found = OnnxEvaluator(path, "fp64")({"x": np.array([-0.5, 0, 1.5], np.float32)})
    assert found["s"] == np.float64(2) / 255
    assert (found["z"], found["y"].tolist()) == (64, [0, 64, 255])


def test_large_bias(files, value):
    """An int32 beyond fp32's 24 bits keeps all of them."""
    node = helper.make_node("DequantizeLinear", ["x", "scale"], ["y"])
    path = files.write(
        [node], [value("x", [2], TensorProto.INT32)], [value("y", [2])],
        {"scale": np.array(1, np.float32)},
    )  # fmt: skip
    found = OnnxEvaluator(path, "fp64")({"x": np.array([2**24 + 1, -3], np.int32)})["y"]
    np.testing.assert_array_equal(found, [2**24 + 1, -3])


@pytest.mark.parametrize(
    ("name", "given", "shapes", "run"),
    [
        (
            "Conv", {"pads": [1, 2, 0, 1], "strides": [2, 1], "dilations": [1, 2], "group": 2},
            [(2, 4, 9, 8), (6, 2, 3, 3), (6,)],
            lambda x, w, b: torch.conv2d(
                torch.nn.functional.pad(x, (2, 1, 1, 0)), w, b, (2, 1), 0, (1, 2), 2
            ),
        ),
        (
            "Conv", {"auto_pad": "SAME_UPPER"}, [(1, 3, 11), (5, 3, 4)],
            lambda x, w: torch.conv1d(torch.nn.functional.pad(x, (1, 2)), w),
        ),
        (
            "MaxPool", {"kernel_shape": [3, 2], "pads": [1, 0, 1, 0], "strides": [2, 2]},
            [(2, 3, 9, 8)],
            lambda x: torch.max_pool2d(x, (3, 2), (2, 2), (1, 0)),
        ),
        (
            "MaxPool", {"kernel_shape": [3], "ceil_mode": 1, "strides": [2]}, [(1, 2, 8)],
            lambda x: torch.max_pool1d(x, 3, 2, 0, ceil_mode=True),
        ),
        (
            "AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]},
            [(2, 3, 8, 8)],
            lambda x: torch.nn.functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        ),
        (
            "AveragePool",
            {
                "kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2],
                "count_include_pad": 1, "ceil_mode": 1,
            },
            [(2, 3, 8, 8)],
            lambda x: torch.nn.functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
        ),
    ],
)  # fmt: skip
def test_own_operators(files, value, *, name, given, shapes, run):
    """Convolutions and poolings are torch's, in fp64."""
    feeds = {letter: random(*shape) for letter, shape in zip("xwb", shapes, strict=False)}
    inputs = [value(letter, list(feed.shape)) for letter, feed in feeds.items()]
    expected = run(*(torch.tensor(feed).double() for feed in feeds.values())).numpy()
    node = helper.make_node(name, list(feeds), ["y"], **given)
    path = files.write([node], inputs, [value("y", list(expected.shape))])
    found = OnnxEvaluator(path, "fp64")(feeds)["y"]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "inputs", "given", "run"),
    [
        ("Gelu", 1, {}, torch.nn.functional.gelu),
        ("FastGelu", 1, {}, lambda x: torch.nn.functional.gelu(x, approximate="tanh")),
        ("BiasGelu", 2, {}, lambda x, b: torch.nn.functional.gelu(x + b)),
        ("QuickGelu", 1, {"alpha": 1.5}, lambda x: x * torch.sigmoid(1.5 * x)),
        ("FusedMatMul", 2, {"transB": 1, "alpha": 0.5}, lambda x, y: 0.5 * x @ y.T),
        (
            "SkipLayerNormalization", 4, {"epsilon": 1e-5},
            lambda x, s, g, b: torch.nn.functional.layer_norm(x + s, (4,), g, b, 1e-5),
        ),
        (
            "SkipSimplifiedLayerNormalization", 3, {"epsilon": 1e-5},
            lambda x, s, g: torch.nn.functional.rms_norm(x + s, (4,), g, 1e-5),
        ),
    ],
)  # fmt: skip
def test_microsoft(files, value, *, name, inputs, given, run):
    """Operators of ONNX Runtime's own are what torch has under their names, in fp64."""
    shapes = [(3, 4), (3, 4), (4,), (4,)][:inputs] if inputs > 2 else [(3, 4), (4,)][:inputs]
    shapes = [(3, 4), (3, 4)] if name == "FusedMatMul" else shapes
    feeds = {f"x{at}": random(*shape) for at, shape in enumerate(shapes)}
    expected = run(*(torch.tensor(feed).double() for feed in feeds.values())).numpy()
    node = helper.make_node(name, list(feeds), ["y"], domain="com.microsoft", **given)
    path = files.write(
        [node],
        [value(key, list(feed.shape)) for key, feed in feeds.items()],
        [value("y", list(expected.shape))],
        domains={"com.microsoft": 1},
    )
    found = OnnxEvaluator(path, "fp64")(feeds)["y"]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_node_that_fails(files):
    """What a node raises is told with its name and operator."""
    with pytest.raises(RunError) as caught:
        OnnxEvaluator(files.product(), "fp64")({"x": random(2, 5)})
    assert caught.value.what == "the reference cannot compute the node 'product' (MatMul) in fp64"
    assert caught.value.why.startswith("ValueError: ")


def test_node_that_rounds(files, value):
    """A node that onnx's code rounds to fp32 is refused in fp64, and named."""
    node = helper.make_node("AffineGrid", ["theta", "size"], ["y"], name="grid")
    path = files.write(
        [node],
        [value("theta", [1, 2, 3]), value("size", [4], TensorProto.INT64)],
        [value("y", [1, 2, 2, 2])],
        opset=20,
    )
    feeds = {"theta": random(1, 2, 3), "size": np.array([1, 1, 2, 2])}
    assert OnnxEvaluator(path, "fp32")(feeds)["y"].shape == (1, 2, 2, 2)
    with pytest.raises(RunError) as caught:
        OnnxEvaluator(path, "fp64")(feeds)
    assert caught.value.what == "the reference cannot compute the node 'grid' (AffineGrid) in fp64"
    assert caught.value.why == "onnx's reference code rounds it to float32"
