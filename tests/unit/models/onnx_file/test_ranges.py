"""What integer inputs may be is read off the weights that they pick rows of."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.numpy_helper import from_array

from pytest_infer.models.onnx_file.ranges import index_ranges
from pytest_infer.models.onnx_file.signature import read_signature

LONG = TensorProto.INT64


def model(nodes, *, ids="ids", weights=None, kind=LONG):
    """Return a file whose input picks from ``weights`` of 30 rows and 7 columns, and from more."""
    held = {"table": np.zeros((30, 7), np.float32), **(weights or {})}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(ids, kind, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4, 7])],
        [from_array(values, name) for name, values in held.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def gather(table="table", ids="ids", output="y", **attributes):
    """Return the node that picks."""
    return helper.make_node("Gather", [table, ids], [output], **attributes)


def test_rows_of_a_table():
    """Indices go from 0 to the last row."""
    assert index_ranges(model([gather()])) == {"ids": (0, 29)}


@pytest.mark.parametrize(("axis", "most"), [(0, 29), (1, 6), (-1, 6)])
def test_axis(axis, most):
    """Of another axis it is that one's size."""
    assert index_ranges(model([gather(axis=axis)])) == {"ids": (0, most)}


def test_of_two_tables_the_shorter():
    """One index picks from both."""
    second = np.zeros((12, 7), np.float32)
    nodes = [gather(), gather("second", output="z")]
    assert index_ranges(model(nodes, weights={"second": second})) == {"ids": (0, 11)}


def test_through_other_nodes():
    """A cast or a reshape keeps the values."""
    nodes = [
        helper.make_node("Cast", ["ids"], ["a"], to=TensorProto.INT32),
        helper.make_node("Unsqueeze", ["a", "axes"], ["b"]),
        gather(ids="b"),
    ]
    axes = {"axes": np.array([1])}
    assert index_ranges(model(nodes, weights=axes)) == {"ids": (0, 29)}


def test_a_table_in_a_constant():
    """Exporters may write weights as nodes."""
    value = numpy_helper.from_array(np.zeros((5, 7), np.float32))
    nodes = [helper.make_node("Constant", [], ["c"], value=value), gather("c")]
    assert index_ranges(model(nodes)) == {"ids": (0, 4)}


def test_what_is_computed_with_has_no_range():
    """After a sum the values are others."""
    nodes = [helper.make_node("Add", ["ids", "ids"], ["a"]), gather(ids="a")]
    assert index_ranges(model(nodes)) == {}


def test_fractions_pick_nothing():
    """Only integers are indices."""
    assert index_ranges(model([], kind=TensorProto.FLOAT)) == {}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("attention_mask", {"attention_mask": (0, 1)}),
        ("mask", {"mask": (0, 1)}),
        ("masked", {}),
        ("lengths", {}),
    ],
)
def test_masks_by_their_name(name, found):
    """Tokenizers make them of zeros and ones."""
    assert index_ranges(model([], ids=name)) == found


def test_the_spec_has_it(tmp_path):
    """What is drawn for the input follows."""
    path = tmp_path / "ids.onnx"
    path.write_bytes(model([gather()]).SerializeToString())
    tensor = read_signature(path).inputs["ids"]
    assert (tensor.low, tensor.high) == (0, 29)
