"""Outputs have the dtypes and shapes that the spec declares."""

import numpy as np
import pytest

from pytest_infer.judges.declared import misdeclared, sizes_of, undeclared
from pytest_infer.models.source import Source
from pytest_infer.models.spec import Dim, ModelSpec, TensorSpec

SPEC = ModelSpec(
    "finder",
    "tensor",
    {"image": TensorSpec(("batch", 3, "width"))},
    {
        "scores": TensorSpec(("batch", 5)),
        "labels": TensorSpec(("batch", "found"), "int64"),
        "map": TensorSpec(("batch", "width")),
    },
    Source(module="finder"),
    {"batch": Dim(), "width": Dim(1, 4, 8), "found": Dim()},
)
SIZES = {"batch": 2, "width": 4}


def outputs(scores=(2, 5), labels=(2, 9), width=4, dtype="float32", integer="int64"):
    """Return what an engine puts out."""
    return {
        "scores": np.ones(scores, dtype),
        "labels": np.ones(labels, integer),
        "map": np.ones((2, width), dtype),
    }


def verdict(found, precision="fp32"):
    """Return what is said of an engine."""
    return undeclared(found, SPEC, SIZES, precision, "finder-ort-fp32-b2")


def test_sizes_are_those_that_inputs_have():
    """A dimension that no input has can be of any size."""
    assert sizes_of(SPEC, 2) == SIZES


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [
        ("fp32", "float32"),
        ("tf32", "float32"),
        ("int8", "float32"),
        ("bf16", "float32"),
        ("fp16", "float16"),
        ("fp16", "float32"),
        ("fp64", "float64"),
        ("fp64", "float32"),
    ],
)
def test_fractions_come_as_declared_or_as_the_precision_stores_them(precision, dtype):
    """An engine in fp16 may put out either."""
    assert verdict(outputs(dtype=dtype), precision) is None


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", "float64"), ("fp32", "float16"), ("bf16", "float16"), ("fp16", "float64")],
)
def test_other_fractions(precision, dtype):
    """Neither more nor fewer digits are what the spec says."""
    found = verdict(outputs(dtype=dtype), precision)
    assert (found.status, found.code) == ("fail", "wrong-dtype")
    assert f"the engine returns {dtype}, the spec says float32" in found.message


@pytest.mark.parametrize("dtype", ["int32", "uint64", "bool", "float32"])
def test_integers_come_exactly_as_declared(dtype):
    """Another width is another dtype."""
    found = verdict(outputs(integer=dtype))
    assert found.code == "wrong-dtype"
    assert "output 'labels' is not what the model's spec declares" in found.message
    assert f"the engine returns {dtype}, the spec says int64" in found.message


def test_declared_float64():
    """What the spec declares is right at any precision."""
    spec = ModelSpec("one", "tensor", {}, {"y": TensorSpec((), "float64")}, Source(module="one"))
    assert undeclared({"y": np.float64(1)[...]}, spec, {}, "fp32", "one") is None


@pytest.mark.parametrize(
    ("change", "found", "declared"),
    [
        ({"scores": (2, 9)}, "(2, 9)", "(2, 5)"),
        ({"scores": (2, 5, 1)}, "(2, 5, 1)", "(2, 5)"),
        ({"scores": (3, 5)}, "(3, 5)", "(2, 5)"),
        ({"labels": (9, 2)}, "(9, 2)", "(2, found)"),
        ({"width": 5}, "(2, 5)", "(2, 4)"),
    ],
)
def test_other_shapes(change, found, declared):
    """Both shapes are reported; eager itself is refused like any engine."""
    changed = outputs(dtype="float64", **change)
    refused = misdeclared(changed, SPEC, SIZES, "finder-ort-fp32-b2")
    assert (refused.status, refused.code) == ("fail", "wrong-shape")
    assert "the spec of finder declares output" in refused.message
    assert f"returns the shape {found}, the spec says {declared}" in refused.message
    assert "mend outputs= in the model's decorator" in refused.message


def test_any_number_of_what_no_input_has():
    """How much was found cannot be checked."""
    assert all(verdict(outputs(labels=(2, count))) is None for count in (0, 1, 100))
