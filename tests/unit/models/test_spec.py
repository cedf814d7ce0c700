"""Models' signatures and cases."""

import json
from dataclasses import FrozenInstanceError, replace

import pytest

from pytest_infer.case import Case, case_from_dict
from pytest_infer.errors import ModelError
from pytest_infer.hosts.wire import as_type, packed
from pytest_infer.models.source import Source
from pytest_infer.models.spec import Dim, ModelSpec, Profile, TensorSpec

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
    """A source is reported as its file, or else as its module."""
    assert str(Source(file="/a/conftest.py")) == "/a/conftest.py"
    assert str(Source(module="a.b")) == "a.b"


def test_bounds():
    """Each input's least and greatest shape; what is fixed is the same in both."""
    assert DETECTOR.bounds() == {
        "image": ((1, 3, 64, 64), (64, 3, 800, 800)),
        "mask": ((1, 64, 64), (64, 800, 800)),
    }


def test_widened():
    """A profile replaces inputs and dimensions, and the outputs that it names; nothing else."""
    dims = {"batch": Dim(1, 1, 4), "height": Dim(8, 16, 32, multiple=8)}
    profile = Profile({"image": TensorSpec(("batch", 3, "height", 640))}, dims)
    spec = replace(DETECTOR, profile=profile)
    wide = spec.widened()
    assert wide.inputs == {**DETECTOR.inputs, **profile.inputs}
    assert (wide.outputs, wide.dims, wide.profile) == (DETECTOR.outputs, dims, None)
    assert spec.input_shapes(1) == DETECTOR.input_shapes(1)
    assert DETECTOR.widened() is DETECTOR
    assert list(dims["height"].sizes) == [8, 16, 24, 32]


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ((4, 2, 8), "(4, 2, 8) do not rise from 0 or more"),
        ((-1, 2, 8), "(-1, 2, 8) do not rise from 0 or more"),
        ((8, 12, 16, 8), "(8, 12, 16) are not all multiples of 8"),
        ((8, 8, 8, 0), "(8, 8, 8) are not all multiples of 0"),
    ],
)
def test_dim_that_cannot_be(sizes, why):
    """Bounds that no size keeps are refused where they are written."""
    least, opt, most, multiple = (*sizes, 1)[:4]
    with pytest.raises(ModelError) as caught:
        Dim(*sizes)
    assert str(caught.value) == (
        f"cannot use Dim(min={least}, opt={opt}, max={most}, multiple={multiple})\n"
        f"  why:  {why}\n"
        "  mend: give sizes with min <= opt <= max, each a multiple of `multiple`"
    )


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"dtype": "int8", "low": 0, "high": 200}, "int8 ends at -128 and 127"),
        ({"dtype": "uint8", "low": -1}, "uint8 ends at 0 and 255"),
        ({"dtype": "int64", "high": 2**63}, f"int64 ends at {-(2**63)} and {2**63 - 1}"),
        ({"dtype": "int64", "low": 0.5}, "int64 holds whole numbers"),
        ({"dtype": "bool", "low": 0}, "bool has no range: all its values are drawn"),
        ({"low": 2, "high": 1}, "low is above high"),
        ({"high": float("nan")}, "its ends are not finite numbers"),
        ({"low": float("-inf")}, "its ends are not finite numbers"),
        ({"low": True}, "its ends are not finite numbers"),
        ({"dtype": "float16", "high": 1e6}, "float16 ends at -65504.0 and 65504.0"),
    ],
)
def test_range_that_no_input_can_have(fields, why):
    """The message says why, and gives an example."""
    with pytest.raises(ModelError) as caught:
        TensorSpec(("batch",), **fields)
    assert caught.value.why == why
    assert "low=0, high=30521" in caught.value.mend


def test_range_reaches_a_host():
    """Its ends stay the numbers that they are."""
    spec = ModelSpec(
        "reader",
        "tensor",
        inputs={
            "ids": TensorSpec(("batch",), "int64", low=-(2**63), high=2**63 - 1),
            "share": TensorSpec(("batch",), low=0, high=0.5),
        },
        outputs={},
        source=Source(module="reader"),
    )
    assert as_type(packed(spec), ModelSpec) == spec
