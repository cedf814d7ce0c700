"""Graphs that put out more, or are cut."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_infer.errors import ModelError
from pytest_infer.graphs.layers import computed, layers_of, write_cut, write_marked
from pytest_infer.testing import graph_faults as plant

FEEDS = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}


@pytest.fixture
def path(tmp_path):
    """A graph of three layers: y = relu(x @ w) + x @ w."""
    weights = numpy_helper.from_array(np.eye(3, dtype=np.float32) * 2, "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "product"),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("Shape", ["a"], ["shape"], "shape"),
        helper.make_node("Add", ["a", "b"], ["y"], "sum"),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "small",
        [info("x", TensorProto.FLOAT, ["batch", 3])],
        [info("y", TensorProto.FLOAT, ["batch", 3])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "graph.onnx")
    return tmp_path / "graph.onnx"


def faulty(path, fault):
    """Return y of a graph with a fault, and the tensor that the fault says it made wrong."""
    model = onnx.load(path)
    wrong = fault(model)
    onnx.checker.check_model(model)
    onnx.save(model, path.with_name("faulty.onnx"))
    return computed(path.with_name("faulty.onnx"), FEEDS, ["y"])["y"], wrong


def test_layers_are_the_nodes_with_floating_outputs(path):
    """Each has its operator, its name and the computed tensors that it reads."""
    told = [(each.tensor, each.node, each.operator, each.inputs) for each in layers_of(path)]
    assert told == [
        ("a", "product", "MatMul", ("x",)),
        ("b", "relu", "Relu", ("a",)),
        ("y", "sum", "Add", ("a", "b")),
    ]


def test_a_marked_graph_puts_out_more(path):
    """The tensors asked for come beside the outputs, each once."""
    target = path.with_name("marked.onnx")
    write_marked(path, ["a", "y"], target)
    outputs = computed(target, FEEDS, ["y", "a"])
    np.testing.assert_array_equal(outputs["a"], 2 * FEEDS["x"])
    assert [value.name for value in onnx.load(target).graph.output] == ["y", "a"]


def test_a_cut_graph_ends_at_the_tensor(path):
    """What is behind the tensor is gone."""
    target = path.with_name("cut.onnx")
    write_cut(path, "b", target)
    graph = onnx.load(target).graph
    assert [node.name for node in graph.node] == ["product", "relu"]
    assert [value.name for value in graph.output] == ["b"]


@pytest.mark.parametrize(
    ("fault", "wrong", "factor"),
    [
        (plant.weight("MatMul", 0, lambda weights: weights * 3), "a", 12),
        (plant.skip("Add", 0, keep=1), "y", 2),
        (plant.replace_node("Add", 0, "Sub"), "y", 0),
        (plant.append("Relu", 0, "Neg"), "b", 0),
        (plant.cast("MatMul", 0, "FLOAT16"), "a", 4),
    ],
)
def test_a_fault_changes_one_node(path, fault, wrong, factor):
    """A planted graph is valid, computes another thing and names the tensor."""
    values, told = faulty(path, fault)
    np.testing.assert_allclose(values, factor * FEEDS["x"])
    assert told == wrong


def test_a_fault_in_nothing_is_refused(path):
    """An operator that the graph does not have, or an input that is computed, is an error."""
    for fault in (plant.skip("Conv", 0), plant.weight("Relu", 0, np.abs, position=0)):
        with pytest.raises(ModelError, match="cannot"):
            faulty(path, fault)
