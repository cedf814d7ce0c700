"""What a file takes and gives is read off it: names, dtypes, and which sizes are dynamic."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from pytest_infer.errors import ModelError
from pytest_infer.models.onnx_file.signature import batch_of, read_signature
from pytest_infer.models.onnx_file.stated import stated
from pytest_infer.models.spec import Dim, OnnxFacts, TensorSpec


@pytest.mark.parametrize(
    ("shapes", "batch"),
    [
        ([("N", 3)], "N"),
        ([("unk__0", 3), ("unk__0",)], "unk__0"),
        ([("", 3)], ""),
        ([("N", 3), (4, 4)], "N"),
        ([("N", 3), ("M", 3)], None),
        ([("N", "N")], None),
        ([(1, 3)], None),
        ([()], None),
    ],
)
def test_batch(shapes, batch):
    """The batch is the first dimension if it is dynamic, one for all inputs, and nowhere else."""
    assert batch_of(shapes) == batch


def test_dynamic_batch(files):
    """The file's name for the batch becomes ours, in outputs too."""
    found = read_signature(files.product())
    assert found.inputs == {"x": TensorSpec(("batch", 4))}
    assert found.outputs == {"y": TensorSpec(("batch", 3))}
    assert found.facts == OnnxFacts(18)


def test_two_inputs(files, value):
    """Integers and bools keep their dtypes; a second dynamic dimension keeps its name."""
    kinds = {"ids": TensorProto.INT64, "mask": TensorProto.BOOL}
    nodes = [
        helper.make_node("Cast", ["ids"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Where", ["mask", "wide", "zero"], ["y"]),
    ]
    path = files.write(
        nodes,
        [value(name, ["n", "seq.len"], kind) for name, kind in kinds.items()],
        [value("y", ["n", "seq.len"])],
        {"zero": np.zeros((), np.float32)},
    )
    found = read_signature(path)
    assert found.inputs == {
        "ids": TensorSpec(("batch", "seq_len"), "int64"),
        "mask": TensorSpec(("batch", "seq_len"), "bool"),
    }
    assert found.outputs == {"y": TensorSpec(("batch", "seq_len"))}


def test_sizes_are_inferred(files, value):
    """What an output's sizes follow from is found by the nodes, where the file leaves it open."""
    node = helper.make_node("Flatten", ["x"], ["y"])
    path = files.write([node], [value("x", ["N", 3, 5])], [value("y", [None, None])])
    assert read_signature(path).outputs == {"y": TensorSpec(("batch", 15))}


def test_unnamed_image(files, value):
    """Height and width without a name have bounds that suit an image."""
    node = helper.make_node("Relu", ["x"], ["y"])
    shape = [None, 3, None, None]
    found = read_signature(files.write([node], [value("x", shape)], [value("y", shape)]))
    assert found.inputs == {"x": TensorSpec(("batch", 3, "x_2", "x_3"))}
    assert found.dims["x_2"] == Dim(64, 224, 448, multiple=32)


def test_fixed_batch(files, value):
    """One size in front of every tensor is the batch at which the file is fixed."""
    node = helper.make_node("Relu", ["x"], ["y"])
    path = files.write([node], [value("x", [4, 3])], [value("y", [4, 3])])
    assert read_signature(path).facts == OnnxFacts(18, rows=4)


def test_operators_of_others(files, value):
    """Whose operators there are beside ONNX's own is read off the nodes."""
    nodes = [
        helper.make_node("Scaler", ["x"], ["s"], domain="ai.onnx.ml", offset=[0.0], scale=[2.0]),
        helper.make_node("Relu", ["s"], ["y"]),
    ]
    ends = [value("x", ["N", 3])], [value("y", ["N", 3])]
    path = files.write(nodes, *ends, domains={"ai.onnx.ml": 3})
    assert read_signature(path).facts == OnnxFacts(18, domains=("ai.onnx.ml",))


def test_weights_are_no_inputs(files, value):
    """Old files name their weights among the inputs."""
    node = helper.make_node("Add", ["x", "w"], ["y"])
    path = files.write(
        [node], [value("x", ["N", 3]), value("w", [3])], [value("y", ["N", 3])],
        {"w": np.ones(3, np.float32)}, opset=9,
    )  # fmt: skip
    found = read_signature(path)
    assert list(found.inputs) == ["x"]
    assert found.facts.opset == 9


def test_own_precision(files, value):
    """A file in fp16 or with Q and DQ nodes has one precision."""
    half = TensorProto.FLOAT16
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = files.write(
        [node], [value("x", ["N", 3], half)], [value("y", ["N", 2], half)],
        {"w": np.ones((3, 2), np.float16)},
    )  # fmt: skip
    assert read_signature(path).facts.precision == "fp16"
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s"], ["y"]),
    ]
    path = files.write(
        nodes, [value("x", ["N"])], [value("y", ["N"])], {"s": np.array(1, np.float32)}
    )
    assert read_signature(path).facts.precision == "int8"


def test_sequences_are_refused(files, value):
    """What is no tensor is named, with scikit-learn's usual reason."""
    sequence = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    path = files.write(
        [helper.make_node("SequenceConstruct", ["x"], ["y"])], [value("x", [2])], [sequence]
    )
    with pytest.raises(ModelError) as caught:
        read_signature(path)
    assert caught.value.why == "its output 'y' is a sequence"
    assert "options={'zipmap': False}" in caught.value.mend


def test_stated(tmp_path):
    """A user may name a dynamic dimension, fix it, and give a range."""
    found = {"ids": TensorSpec(("batch", "n"), "int64"), "x": TensorSpec((1, 4))}
    wish = {"ids": TensorSpec(("batch", 16), "int64", low=0, high=99)}
    assert stated(tmp_path, "input", found, wish) == {**found, **wish}


@pytest.mark.parametrize(
    ("name", "tensor", "why"),
    [
        ("idz", TensorSpec((1,)), "it has no input of that name; did you mean 'ids'?"),
        ("ids", TensorSpec(("batch", "n")), "its dtype is int64, not float32"),
        ("ids", TensorSpec(("batch",), "int64"), "it has 2 dimensions, not 1"),
        ("x", TensorSpec((2, 4)), "dimension 0 is fixed at 1, not 2"),
        ("x", TensorSpec(("batch", 4)), "dimension 0 is fixed at 1, not 'batch'"),
    ],
)
def test_stated_otherwise(tmp_path, name, tensor, why):
    """What the file does not have cannot be stated of it."""
    found = {"ids": TensorSpec(("batch", "n"), "int64"), "x": TensorSpec((1, 4))}
    with pytest.raises(ModelError) as caught:
        stated(tmp_path, "input", found, {name: tensor})
    assert caught.value.what == f"input {name!r} is stated otherwise than the file has it"
    assert caught.value.why == f"{tmp_path}: {why}"
    assert caught.value.mend == (
        "leave it out of --infer-input or inputs=, or state what the file has: "
        "ids int64['batch', 'n'], "
        "x float32[1, 4]"
    )
