"""What is read from an exported file."""

import numpy as np
import pytest

from pytest_infer.graphs.facts import TensorFacts, graph_facts

onnx = pytest.importorskip("onnx")


def write(path, kernel, *, opset=17, quantizers=0):
    """Write a graph with one convolution of ``kernel``."""
    helper = onnx.helper
    nodes = [helper.make_node("Conv", ["image", "kernel"], ["scores"])]
    nodes += [
        helper.make_node("QuantizeLinear", ["scores", "scale", "zero"], [f"q{number}"])
        for number in range(quantizers)
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT16, ("batch", 8, 5, 5))],
        [helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, (1, 2, 3, 3))],
        [onnx.numpy_helper.from_array(kernel, "kernel")],
    )
    opsets = [helper.make_opsetid("other", 1), helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), path)


def kernel(zeros=0):
    """Return a kernel whose groups of four inputs have this many zeros."""
    values = np.ones((2, 8, 3, 3), np.float32)
    for place in range(zeros):
        values[:, place::4] = 0
    return values


def test_what_is_read(tmp_path):
    """Opset of the default domain, sizes with 0 for dynamic ones, types, Q/DQ nodes."""
    path = tmp_path / "graph.onnx"
    write(path, kernel(), quantizers=3)
    facts = graph_facts(path)
    assert facts.opset == 17
    assert facts.tensors == {
        "image": TensorFacts((0, 8, 5, 5), "float16"),
        "scores": TensorFacts((1, 2, 3, 3), "float32"),
    }
    assert facts.dynamic_dims == ("batch",)
    assert facts.quantizers == 3
    assert facts.precisions.products == {"fp16": 1}


@pytest.mark.parametrize(
    ("largest", "bits"), [(127, 8), (-128, 8), (65, 8), (64, 7), (-64, 7), (33, 7), (32, 6), (0, 0)]
)
def test_bits_of_weights(tmp_path, largest, bits):
    """They are those of the largest weight that is kept as int8; other weights have none."""
    path = tmp_path / "graph.onnx"
    values = np.zeros((2, 8, 3, 3), np.int8)
    values[1, 2, 0, 0] = largest
    write(path, values)
    assert graph_facts(path).weight_bits == bits
    write(path, kernel())
    assert graph_facts(path).weight_bits == 0


@pytest.mark.parametrize(("zeros", "share"), [(0, 0), (1, 0), (2, 1), (3, 1)])
def test_pruned_share(tmp_path, zeros, share):
    """A group of four with two zeros is pruned, one with a single zero is not."""
    path = tmp_path / "graph.onnx"
    write(path, kernel(zeros))
    assert graph_facts(path).pruned_share == share


def test_pruned_share_of_external_data(tmp_path):
    """Weights in a separate file are read, too."""
    path = tmp_path / "graph.onnx"
    write(path, kernel(2))
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights", size_threshold=0)
    assert (tmp_path / "weights").exists()
    assert graph_facts(path).pruned_share == 1


def test_weights_without_groups(tmp_path):
    """A kernel of three inputs has no groups of four."""
    path = tmp_path / "graph.onnx"
    write(path, np.zeros((2, 3, 3, 3), np.float32))
    assert graph_facts(path).pruned_share == 0


def test_types_that_an_exporter_leaves_out(tmp_path):
    """What is made from sizes is not of their type."""
    helper, kinds = onnx.helper, onnx.TensorProto
    value = helper.make_tensor_value_info
    one = onnx.numpy_helper.from_array(np.ones(1, np.float16))
    graph = helper.make_graph(
        [
            helper.make_node("Shape", ["a"], ["sizes"]),
            helper.make_node("ConstantOfShape", ["sizes"], ["ones"], value=one),
            helper.make_node("MatMul", ["ones", "b"], ["c"]),
        ],
        "toy",
        [value("a", kinds.FLOAT16, (2, 2)), value("b", kinds.FLOAT16, (2, 2))],
        [value("c", kinds.FLOAT16, (2, 2))],
    )
    path = tmp_path / "graph.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    assert graph_facts(path).precisions.products == {"fp16": 1}
