"""Models' signatures and cases."""

import json
from dataclasses import FrozenInstanceError

import pytest

from pytest_infer.spec import Case, Dim, ModelSpec, Source, TensorSpec, case_from_dict

DETECTOR = ModelSpec(
    name="detector",
    task="detection",
    inputs={
        "image": TensorSpec(("batch", 3, "height", "width")),
        "mask": TensorSpec(("batch", "height", "width"), "int64"),
    },
    outputs={"boxes": TensorSpec(("batch", 100, 4))},
    source=Source(module="somewhere"),
    dims={"batch": Dim(), "height": Dim(64, 480, 800), "width": Dim(64, 640, 800)},
)


def test_input_shapes():
    """The batch is as asked for, every other dynamic dimension at its optimum."""
    assert DETECTOR.input_shapes(8) == {"image": (8, 3, 480, 640), "mask": (8, 480, 640)}


def test_case_id():
    """The id names model, engine, precision and batch; the device is not part of it."""
    case = Case("resnet50", "trt", "fp16", 8, "cuda:0")
    assert case.id == "resnet50-trt-fp16-b8"
    assert case_from_dict(json.loads(json.dumps(case.as_dict()))) == case


def test_case_with_settings():
    """Settings of the engine are a part of the id, and survive JSON."""
    case = Case("a", "trt", "fp16", 1, "cuda:0", (("graph", True), ("level", 3), ("tf", False)))
    assert case.id == "a-trt-fp16-b1+graph+level=3+tf=false"
    assert case_from_dict(json.loads(json.dumps(case.as_dict()))) == case


def test_frozen():
    """A case is a value: it can be a key, and nobody changes it."""
    case = Case("a", "b", "fp32", 1, "cpu")
    assert len({case, Case("a", "b", "fp32", 1, "cpu")}) == 1
    with pytest.raises(FrozenInstanceError):
        case.batch = 2


def test_source_reads_as_its_place():
    """A source is told as its file, or else as its module."""
    assert str(Source(file="/a/conftest.py")) == "/a/conftest.py"
    assert str(Source(module="a.b")) == "a.b"
