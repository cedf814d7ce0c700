"""What crosses to a host comes back as it was."""

import os
from dataclasses import dataclass
from pathlib import Path

import execnet
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Evidence
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.hosts.wire import as_type, packed, unpacked
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

DTYPES = ("<f2", "<f4", "<f8", "i1", "u1", "<i2", "<i4", "<i8", "<u8", "?", ">f4", "<c8", "<U3")


def carried(value):
    """Return ``value`` after execnet's own serializer has carried it."""
    return unpacked(execnet.loads(execnet.dumps(packed(value))))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (3,), (2, 3, 4)])
def test_arrays(dtype, shape):
    """Every dtype and shape survives, zero-size and zero-dimensional ones too."""
    value = np.arange(np.prod(shape, dtype=int)).astype(dtype).reshape(shape)
    again = carried(value)
    assert (again.dtype, again.shape) == (value.dtype, value.shape)
    assert (again == value).all()


@pytest.mark.parametrize("text", ["\udc80", "a\ud800b", "\ud83d\ude00", os.fsdecode(b"/\xff")])
def test_half_characters(text):
    """A text that is no valid UTF-8, as file names may be, survives wherever it stands."""
    assert carried({text: [text, "whole"]}) == {text: [text, "whole"]}


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, min_side=0)))
def test_every_bit(value):
    """NaN payloads, signed zeros and denormals survive."""
    assert carried(value).tobytes() == value.tobytes()


def test_layout():
    """A view that is not contiguous arrives by value."""
    value = np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)[::2]
    assert (carried(value) == value).all()


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**31), 2**31 - 1)
        | st.floats(allow_nan=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
@example({"__array__": 0.5})
@example({"": [["<f4", [1], b"abcd"]]})
def test_nested(value):
    """Nested builtin values survive, those that look like an array's parts too."""
    assert carried(value) == value


def test_tuples():
    """A tuple arrives as a list, whatever it holds."""
    assert carried({"shape": ("<f4", [1], b"abcd")}) == {"shape": ["<f4", [1], b"abcd"]}


def test_scalars():
    """A numpy scalar arrives as Python's."""
    again = carried({"a": np.float32(0.5), "b": np.int64(7), "c": np.bool_(True)})
    assert again == {"a": 0.5, "b": 7, "c": True}
    assert [type(each) for each in again.values()] == [float, int, bool]


def test_built_engine():
    """The largest of the types that cross comes back equal, every field checked."""
    spec = ModelSpec(
        "toy", "tensor", {"x": TensorSpec(("batch", 3))}, {"y": TensorSpec(("batch",))}, Source("m")
    )
    graph = Graph(spec, "/a/graph.onnx", "12ab", GraphRequest("onnx", opset=17))
    built = BuiltEngine("ort", graph, BuildRequest("fp32", "cpu", {"x": (1, 3)}), "/a/b")
    assert as_type(carried(built), BuiltEngine) == built


def test_dataclass_with_arrays():
    """Arrays in a dataclass are carried as arrays."""
    again = carried(Evidence("fp32", "cpu", details={"scales": np.arange(3)}))
    assert again["precision"] == "fp32"
    assert (again["details"]["scales"] == [0, 1, 2]).all()


@dataclass
class Odd:
    """Holds anything."""

    value: object


@pytest.mark.parametrize(
    "value", [Path("x"), {1, 2}, object(), [object()], Odd(Path("x")), np.array([None])]
)
def test_other_types_are_refused(value):
    """What cannot be carried is refused where it is packed, by the name of its type."""
    with pytest.raises(TypeError, match="cannot be carried to or from an engine host"):
        packed(value)


def test_wrong_type_is_refused():
    """A field of another type is an error, not a surprise later on."""
    with pytest.raises(Exception, match="Expected `str`"):
        as_type({"module": 1, "file": ""}, Source)
