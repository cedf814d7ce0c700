"""What each layer loses alone, on a graph whose worst layer is known."""

import numpy as np
import pytest

from pytest_infer.devices.cpu_products import weight_bits
from pytest_infer.errors import ExportError
from pytest_infer.graphs.quantization import calls_of, fixed_batch, quantize_onnx
from pytest_infer.graphs.quantization_loss import losses, quantized_layers

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

RANDOM = np.random.default_rng(0)
SIZE = 16
FEEDS = {"x": RANDOM.normal(size=(6, SIZE)).astype(np.float32)}
NAMES = ["first", "wide", "last"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Three products; a feature of 500 before the second makes its input's steps coarse."""
    path = tmp_path_factory.mktemp("plain") / "graph.onnx"
    weights = {name: RANDOM.normal(size=(SIZE, SIZE)) / 4 for name in NAMES}
    weights["first"][:, 0] *= 500
    weights["wide"][0] /= 500
    nodes = [
        onnx.helper.make_node("MatMul", [source, f"{name}_w"], [target], name=name)
        for name, source, target in zip(NAMES, ("x", "a", "b"), ("a", "b", "y"), strict=True)
    ]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [value("x", onnx.TensorProto.FLOAT, ["batch", SIZE])],
        [value("y", onnx.TensorProto.FLOAT, ["batch", SIZE])],
        [onnx.numpy_helper.from_array(each.astype(np.float32), f"{name}_w")
         for name, each in weights.items()],
    )  # fmt: skip
    opsets = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


@pytest.fixture(scope="module")
def probe(plain):
    """The graph with Q and DQ that can be taken out."""
    path = plain.with_name("probe.onnx")
    quantize_onnx(plain, FEEDS, path, is_symmetric=False, is_probe=True)
    return path


def loss_of(path, plain):
    """Return the relative L2 of a graph's outputs against another's, row by row."""
    got, exact = (
        onnxruntime.InferenceSession(str(each), providers=["CPUExecutionProvider"]).run(None, FEEDS)
        for each in (path, plain)
    )
    rows = [
        np.linalg.norm(g - e) / np.linalg.norm(e) for g, e in zip(got[0], exact[0], strict=True)
    ]
    return np.sqrt(np.mean(np.square(rows[:4])))


def lost(probe, kept, *, is_symmetric=False):
    """Return the losses with some layers in int8."""
    return losses(probe, FEEDS, kept, rowed=["x"], is_symmetric=is_symmetric)


def test_worst_layers(probe):
    """The coarse tensor costs the layer that puts it out as much as the one that takes it."""
    assert [layer.node for layer in quantized_layers(probe)] == NAMES
    none, first, wide, last = lost(probe, [[], *([name] for name in NAMES)])
    assert none == 0
    assert first == pytest.approx(wide, rel=0.1)
    assert wide > 10 * last > 0


def test_inputs_only(probe):
    """In the symmetric scheme only the layer that takes it rounds it."""
    first, wide = lost(probe, [["first"], ["wide"]], is_symmetric=True)
    assert wide > 10 * first > 0


def test_left_out_layers(plain, probe):
    """Without them the quantized graph itself loses as little as the probe has said."""
    whole, rest = lost(probe, [NAMES, ["last"]])
    target = plain.with_name("int8.onnx")
    bits = weight_bits()  # 8 would overflow on a CPU without VNNI
    quantize_onnx(plain, FEEDS, target, is_symmetric=False, weight_bits=bits)
    before = loss_of(target, plain)
    unquantized = ["first", "wide"]
    quantize_onnx(
        plain, FEEDS, target, is_symmetric=False, weight_bits=bits, unquantized=unquantized
    )
    after = loss_of(target, plain)
    assert before == pytest.approx(whole, rel=0.3)
    assert after < 0.1 * before
    assert rest < 0.1 * whole


def test_unknown_node(plain):
    """A name that no quantized node has is an error with its likeness."""
    with pytest.raises(ExportError) as caught:
        quantize_onnx(
            plain, FEEDS, plain.with_name("x.onnx"), is_symmetric=False, unquantized=["wild"]
        )
    assert str(caught.value) == (
        "cannot leave 'wild' unquantized\n"
        "  why:  the graph has no node of that name that is quantized; it has 3\n"
        "  mend: did you mean 'wide'?"
    )


def test_calls(probe):
    """A graph is fed row by row."""
    assert [call["x"].shape for call in calls_of(FEEDS, fixed_batch(probe), ["x"])] == [
        (1, SIZE)
    ] * 6
