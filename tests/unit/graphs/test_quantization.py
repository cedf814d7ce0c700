"""A quantized graph has the scheme that was asked for, and is the model it was before."""

from pathlib import Path

import numpy as np
import pytest

from pytest_infer.devices.cpu_products import weight_bits
from pytest_infer.errors import ExportError
from pytest_infer.graphs import quantization
from pytest_infer.graphs.export import check_graph, export_onnx, signature_of
from pytest_infer.graphs.graph import GraphRequest
from pytest_infer.graphs.onnx_precision import graph_precisions
from pytest_infer.graphs.quantization import calibration_feeds, quantize_onnx
from pytest_infer.models import registry as models
from pytest_infer.testing import contract_model  # noqa: F401 - registers the model

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

MODEL = models.find("contract_cnn")
FEEDS = calibration_feeds(MODEL, "")


@pytest.fixture(scope="module", params=[17, 18])
def opset(request):
    """TensorRT 8.6's newest operator set, and this package's own."""
    return request.param


@pytest.fixture(scope="module")
def plain(opset, tmp_path_factory):
    """The model exported in fp32."""
    return exported(
        tmp_path_factory.mktemp("plain") / "graph.onnx", GraphRequest("onnx", opset=opset)
    )


def exported(path, request, shapes=None):
    """Export the model; return its path."""
    export_onnx(MODEL.create(), MODEL.spec, path, request, shapes or {})
    return path


def quantized(source, *, is_symmetric=False, bits=None):
    """Quantize a graph, so that this CPU computes it rightly; return the new one's path."""
    bits = bits or weight_bits()
    target = source.with_name(f"symmetric-{is_symmetric}-{bits}.onnx")
    quantize_onnx(source, FEEDS, target, is_symmetric=is_symmetric, weight_bits=bits)
    return target


def outputs_of(path, feeds=FEEDS, **settings):
    """Return the outputs of a graph on the CPU."""
    options = onnxruntime.SessionOptions()
    for name, value in settings.items():
        setattr(options, name, value)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def constants(graph):
    """Return the initializers of a loaded graph by name."""
    return {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}


@pytest.mark.parametrize("is_symmetric", [False, True])
def test_signature_stays(plain, opset, is_symmetric):
    """Opset, names and the dynamic batch are those of the exact graph, and Q/DQ nodes are there."""
    path = quantized(plain, is_symmetric=is_symmetric)
    check_graph(path, MODEL.spec, opset=opset)
    graph = onnx.load(path).graph
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in graph.node}


@pytest.mark.parametrize("is_symmetric", [False, True])
def test_outputs_stay_near(plain, is_symmetric):
    """The quantized graph differs from the exact one, and by little."""
    path = quantized(plain, is_symmetric=is_symmetric)
    for exact, rounded in zip(outputs_of(plain), outputs_of(path), strict=True):
        error = np.linalg.norm(rounded - exact) / np.linalg.norm(exact)
        assert 0 < error < 0.15  # 0.03 to 0.11 over six draws of the feeds


@pytest.mark.parametrize(("bits", "most"), [(8, 127), (7, 64)])
def test_bits_of_weights(plain, bits, most):
    """Every channel uses all of its range, and no more."""
    graph = onnx.load(quantized(plain, bits=bits)).graph
    weights = [value for value in constants(graph).values() if value.dtype == np.int8]
    weights = [value for value in weights if value.ndim > 1]
    assert {int(np.abs(value.astype(int)).max()) for value in weights} == {most}


def test_asymmetric_runs_in_int8(plain, tmp_path):
    """ONNX Runtime multiplies in int8, the ReLU has become a part of the convolution."""
    optimized = tmp_path / "optimized.onnx"
    outputs_of(quantized(plain), optimized_model_filepath=str(optimized))
    assert set(graph_precisions(optimized).products) == {"int8"}
    assert "Relu" not in {node.op_type for node in onnx.load(optimized).graph.node}


def test_asymmetric_activations_are_unsigned(plain):
    """Activations are uint8, weights int8 per channel around zero, biases int32."""
    graph = onnx.load(quantized(plain)).graph
    values = constants(graph)
    quantizing = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    assert {values[node.input[2]].dtype.name for node in quantizing} == {"uint8"}
    restored = [node for node in graph.node if node.op_type == "DequantizeLinear"]
    kept = [node for node in restored if node.input[0] in values]
    assert {values[node.input[0]].dtype.name for node in kept} == {"int8", "int32"}
    assert {values[node.input[1]].size for node in kept} == {64, 16}
    assert not any(values[node.input[2]].any() for node in kept)


def test_symmetric_is_what_tensorrt_reads(plain):
    """Zero points are 0 and int8, scales fp32, biases untouched, weights fp32 with Q and DQ."""
    graph = onnx.load(quantized(plain, is_symmetric=True)).graph
    values = constants(graph)
    nodes = {
        kind: [n for n in graph.node if n.op_type == kind]
        for kind in ("QuantizeLinear", "DequantizeLinear")
    }
    for node in (*nodes["QuantizeLinear"], *nodes["DequantizeLinear"]):
        assert values[node.input[2]].dtype == np.int8
        assert not values[node.input[2]].any()
        assert values[node.input[1]].dtype == np.float32
    weights = [node for node in nodes["QuantizeLinear"] if node.input[0] in values]
    assert {values[node.input[0]].shape for node in weights} >= {(64, 3, 3, 3)}
    assert {values[node.input[1]].size for node in weights} == {64, 16}
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type in {"Conv", "Gemm"}:
            assert [makers[name].op_type for name in node.input[:2]] == ["DequantizeLinear"] * 2
            assert values[node.input[2]].dtype == np.float32


def test_symmetric_activation_stays_with_its_convolution(plain):
    """Nothing comes between any convolution and its ReLU."""
    graph = onnx.load(quantized(plain, is_symmetric=True)).graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    activations = [node for node in graph.node if node.op_type == "Relu"]
    assert [makers[node.input[0]] for node in activations] == ["Conv"] * 4


def test_static_graph_is_calibrated_at_its_batch(tmp_path):
    """A graph with a batch of 3 is calibrated in threes, with the first rows again at the end."""
    shapes = MODEL.spec.input_shapes(3)
    request = GraphRequest("onnx", is_static=True)
    path = quantized(exported(tmp_path / "graph.onnx", request, shapes))
    check_graph(path, signature_of(MODEL.spec, request, shapes), opset=18)


def attention(path):
    """Write a graph that multiplies by weights, and the product's softmax by itself."""
    values = [
        onnx.helper.make_tensor_value_info(name, 1, ["batch", 4, 4]) for name in ("image", "scores")
    ]
    weights = onnx.numpy_helper.from_array(np.eye(4, dtype=np.float32), "weights")
    nodes = [
        onnx.helper.make_node("MatMul", ["image", "weights"], ["query"], "linear"),
        onnx.helper.make_node("Softmax", ["query"], ["soft"], "softmax"),
        onnx.helper.make_node("MatMul", ["soft", "soft"], ["scores"], "attention"),
    ]
    graph = onnx.helper.make_graph(nodes, "toy", values[:1], values[1:], [weights])
    opsets = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def test_product_of_activations_stays(tmp_path):
    """A matrix product without weights stays in fp32 beside one with weights in int8."""
    source, target = tmp_path / "graph.onnx", tmp_path / "int8.onnx"
    attention(source)
    feeds = {"image": np.ones((2, 4, 4), np.float32)}
    quantize_onnx(source, feeds, target, is_symmetric=False)
    optimized = tmp_path / "optimized.onnx"
    outputs_of(target, feeds, optimized_model_filepath=str(optimized))
    assert graph_precisions(optimized).products == {"int8": 1, "fp32": 1}


def test_every_row_is_calibrated_on():
    """The range of an activation comes from all rows, each read once where batches fit."""
    feeds = {"x": np.arange(8)}
    reader = quantization._reader(feeds, 3, feeds)
    batches = [reader.get_next() for _ in range(4)]
    assert [batch["x"].tolist() for batch in batches[:3]] == [[0, 1, 2], [3, 4, 5], [6, 7, 0]]
    assert batches[3] is None


def toy(path, operator):
    """Write a graph of one operator without weights."""
    values = [onnx.helper.make_tensor_value_info(n, 1, ["batch", 3]) for n in ("image", "scores")]
    node = onnx.helper.make_node(operator, ["image"], ["scores"])
    graph = onnx.helper.make_graph([node], "toy", values[:1], values[1:])
    opsets = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def test_graph_without_products(tmp_path):
    """A graph in which nothing was quantized is refused."""
    source, target = tmp_path / "graph.onnx", tmp_path / "int8.onnx"
    toy(source, "Sqrt")
    with pytest.raises(ExportError) as caught:
        quantize_onnx(source, {"image": np.ones((1, 3), np.float32)}, target, is_symmetric=False)
    assert str(caught.value) == (
        f"cannot quantize {source}\n"
        "  why:  the graph has none of the operators Conv, MatMul, Gemm, Add\n"
        "  mend: leave out --infer-precision=int8 for this model"
    )


def test_broken_graph(tmp_path):
    """What the tools say of it is kept as the reason."""
    with pytest.raises(ExportError) as caught:
        quantize_onnx(tmp_path / "none.onnx", FEEDS, tmp_path / "int8.onnx", is_symmetric=False)
    what, why, mend = str(caught.value).splitlines()
    assert what == f"cannot quantize {tmp_path / 'none.onnx'}"
    assert why.startswith("  why:  onnxruntime's tools failed: FileNotFoundError: ")
    assert why.endswith(", in shape_inference.py: quant_pre_process")
    assert mend == (
        "  mend: leave out --infer-precision=int8 for this model, or bring an ONNX file with Q and "
        "DQ nodes"
    )


def test_sizes_that_the_tools_cannot_follow(tmp_path, monkeypatch):
    """The step is named: what sympy raises there says nothing by itself."""
    from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

    source = tmp_path / "graph.onnx"
    toy(source, "Sqrt")

    def truth(_):
        raise TypeError("cannot determine truth value of Relational: length < 512")

    monkeypatch.setattr(SymbolicShapeInference, "_infer_impl", truth)
    with pytest.raises(ExportError) as caught:
        quantize_onnx(source, FEEDS, tmp_path / "int8.onnx", is_symmetric=False)
    assert caught.value.why.startswith(
        "onnxruntime's tools could not follow the sizes through the graph: TypeError: cannot "
        "determine truth value"
    )
    assert caught.value.mend.startswith("state fixed sizes for the model's inputs")


def test_nothing_is_left_in_the_users_folder(tmp_path, monkeypatch):
    """The tools save the graph where they stand when they cannot follow all its sizes."""
    from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

    source, stands = tmp_path / "graph.onnx", tmp_path / "stands"
    toy(source, "Sqrt")
    stands.mkdir()
    monkeypatch.chdir(stands)

    def incomplete(self):
        self.run_ = False
        return False

    monkeypatch.setattr(SymbolicShapeInference, "_infer_impl", incomplete)
    with pytest.raises(ExportError, match="Incomplete symbolic shape inference"):
        quantize_onnx(Path("..", "graph.onnx"), FEEDS, tmp_path / "int8.onnx", is_symmetric=False)
    assert Path.cwd() == stands
    assert not list(stands.iterdir())


def test_sizes_that_follow_from_a_dynamic_one(tmp_path):
    """A sum of what has the length and what has the smaller of 512 and it, as in BERT."""
    value, make = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    weights = {
        "table": np.ones((512, 4), np.float32),
        "w": np.eye(4, dtype=np.float32),
        "zero": np.int64([0]),
        "one": np.int64([1]),
        "two": np.int64([2]),
    }
    nodes = [
        make("Shape", ["x"], ["shape"]),
        make("Slice", ["shape", "one", "two", "zero"], ["length"]),
        make("Slice", ["table", "zero", "length", "zero"], ["positions"]),
        make("Add", ["x", "positions"], ["sum"]),
        make("MatMul", ["sum", "w"], ["y"]),
    ]
    ends = [value(each, onnx.TensorProto.FLOAT, ["batch", "length", 4]) for each in ("x", "y")]
    stored = [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = onnx.helper.make_graph(nodes, "toy", ends[:1], ends[1:], stored)
    opset = [onnx.helper.make_opsetid("", 18)]
    source, target = tmp_path / "graph.onnx", tmp_path / "int8.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), source)
    feeds = {"x": np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)}
    quantize_onnx(source, feeds, target, is_symmetric=False)
    (found,) = outputs_of(target, feeds)
    np.testing.assert_allclose(found, feeds["x"] + 1, atol=0.1)


def test_tools_are_missing(monkeypatch):
    """Without onnxruntime in eager's host there is nothing to quantize with."""
    monkeypatch.setattr(quantization, "find_spec", lambda _: None)
    with pytest.raises(ExportError) as caught:
        quantize_onnx(Path("a.onnx"), FEEDS, Path("b.onnx"), is_symmetric=False)
    assert str(caught.value) == (
        "cannot quantize a.onnx\n"
        "  why:  onnxruntime, whose tools do it, is not installed where the models are\n"
        "  mend: pip install 'pytest-infer[cpu]' in the environment of eager's host"
    )


def test_calls_of_a_model_without_rows():
    """Inputs of calls, stacked, are given one call after the other."""
    reader = quantization._reader({"x": np.arange(6).reshape(3, 2)}, 1, ())
    assert [reader.get_next()["x"].tolist() for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert reader.get_next() is None


def test_inputs_without_rows_stay():
    """Of an input without a batch every call gets the whole."""
    feeds = {"x": np.arange(4), "sizes": np.array([7, 8, 9])}
    reader = quantization._reader(feeds, 2, ["x"])
    assert reader.get_next()["sizes"].tolist() == [7, 8, 9]
