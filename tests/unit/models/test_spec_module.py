"""A module is called as its spec says, whatever its forward takes and returns."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
import torch

from pytest_infer.errors import ModelError
from pytest_infer.graphs.dynamic_dims import dynamic_shapes
from pytest_infer.graphs.export import export_onnx
from pytest_infer.graphs.graph import GraphRequest
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec
from pytest_infer.models.spec_module import SpecModule, left_out, outputs_of

SPEC = ModelSpec(
    "toy",
    "tensor",
    {"mask": TensorSpec(("batch", 3)), "ids": TensorSpec(("batch", 3))},
    {"total": TensorSpec(("batch",)), "rest": TensorSpec(("batch", 3))},
    Source(module="toy"),
)
IDS, MASK = torch.tensor([[5.0, 6.0, 7.0]] * 2), torch.tensor([[1.0, 0.0, 2.0]] * 2)
REST = [[4.0, 6.0, 5.0]] * 2
TOTAL = [15.0] * 2


class Pair(NamedTuple):
    """Has the names of the spec."""

    rest: torch.Tensor
    total: torch.Tensor


class Other(NamedTuple):
    """Has none of them."""

    first: torch.Tensor
    second: torch.Tensor


@dataclass
class Found:
    """A user's own container."""

    rest: torch.Tensor
    total: torch.Tensor
    states: object = None


def _model_output(rest, total):
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    return BaseModelOutputWithPooling(last_hidden_state=rest, pooler_output=total)


CONTAINERS = {
    "dict": lambda rest, total: {"rest": rest, "states": (rest, rest), "total": total},
    "ordered": lambda rest, total: OrderedDict(rest=rest, total=total, none=None),
    "dataclass": Found,
    "namedtuple": Pair,
    "unnamed": lambda rest, total: Other(total, rest),
    "tuple": lambda rest, total: (total, rest),
    "list": lambda rest, total: [total, rest],
}


class Difference(torch.nn.Module):
    """Takes ids and mask in the order that is not the spec's; returns a container."""

    def __init__(self, kind):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3))
        self.container = CONTAINERS[kind]

    def forward(self, ids, mask, scale=1.0):
        """Return the difference and its sum."""
        rest = (ids - mask) * self.weight * scale
        return self.container(rest, rest.sum(1))


def _values(outputs):
    return [value.tolist() for value in outputs]


@pytest.mark.parametrize("kind", CONTAINERS)
def test_any_container_in_eager_tracing_and_strict_export(kind):
    """A tuple in the spec's order comes out, of inputs that are bound by name."""
    module = SpecModule(Difference(kind), SPEC)
    traced = torch.jit.trace(module, (MASK, IDS), check_trace=False)
    exported = torch.export.export(
        module, (MASK, IDS), dynamic_shapes=dynamic_shapes(SPEC), strict=True
    ).module()
    for call in (module, traced, exported):
        assert _values(call(MASK, IDS)) == [TOTAL, REST]


@pytest.mark.parametrize("opset", [18, 17])
@pytest.mark.parametrize("kind", ["dict", "dataclass", "star"])
def test_both_exporters_keep_the_names(tmp_path, kind, opset):
    """The file has the spec's names and their values, of a forward of *args too."""
    onnxruntime = pytest.importorskip("onnxruntime")

    class Star(Difference):
        def forward(self, *args):
            mask, ids = args
            return super().forward(ids, mask)

    module = Star("tuple") if kind == "star" else Difference(kind)
    path = tmp_path / "graph.onnx"
    export_onnx(module, SPEC, path, GraphRequest("onnx", opset=opset), {})
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feeds = {"ids": IDS.numpy()[:1], "mask": MASK.numpy()[:1]}
    total, rest = session.run(["total", "rest"], feeds)
    np.testing.assert_array_equal(total, TOTAL[:1])
    np.testing.assert_array_equal(rest, REST[:1])


def test_the_user_s_module_stays_as_it_is():
    """Its parameters keep their names, and the wrapper its mode."""
    module = Difference("tuple").eval()
    called = SpecModule(module, SPEC)
    assert list(module.state_dict()) == ["weight"]
    assert called.module is module
    assert not called.training


def test_a_hugging_face_output_gives_what_is_asked_for():
    """What it holds besides, or holds as None, is left out."""
    pytest.importorskip("transformers")
    returned = _model_output(IDS, MASK)
    assert outputs_of(returned, ["pooler_output"], "toy") == (MASK,)
    with pytest.raises(ModelError) as caught:
        outputs_of(returned, ["logits", "pooler_output"], "toy")
    assert str(caught.value) == (
        "forward of toy returned no logits\n"
        "  why:  its spec's outputs are logits, pooler_output; forward returned "
        "last_hidden_state, pooler_output\n"
        "  mend: name the outputs in the model's decorator as forward does, or leave outputs= out: "
        "they are read off then"
    )


@pytest.mark.parametrize(
    ("returned", "what"),
    [
        ((IDS, (IDS, IDS)), "forward of toy returned 3 outputs"),
        ({"a": IDS, "b": None}, "output 'b' of toy is None"),
        ([IDS, 3.0], "forward of toy returned a float"),
        ((IDS, IDS.numpy()), "forward of toy returned a ndarray"),
        ("text", "forward of toy returned a str"),
        (None, "forward of toy returned None"),
        (IDS, "forward of toy returned 1 output"),
        ((IDS,) * 3, "forward of toy returned 3 outputs"),
        (Found, "forward of toy returned a type"),
    ],
)
def test_what_is_no_output(returned, what):
    """What is no tensor is named; a count has the spec's names beside it."""
    with pytest.raises(ModelError) as caught:
        outputs_of(returned, ["a", "b"], "toy")
    assert caught.value.what == what
    assert caught.value.why in {
        "an engine's outputs are tensors, each with a name",
        "its spec's outputs are a, b",
    }


@pytest.mark.parametrize(
    ("returned", "names"),
    [
        ((IDS, (MASK, None)), ["a", "b"]),
        ({"a": IDS, "b": {"c": [MASK]}, "cache": object()}, ["a", "b.c.0"]),
        (Found(IDS, MASK), ["rest", "total"]),
    ],
)
def test_what_lies_inside_others(returned, names):
    """A tuple gives all tensors in order, a container with names gives them by path."""
    assert outputs_of(returned, names, "toy") == (IDS, MASK)


def test_what_is_left_out():
    """What has a name and was not asked for is listed once, by its outermost name."""
    returned = {"a": IDS, "cache": (IDS, [MASK]), "none": None, "number": 3}
    assert left_out(returned, ["a"]) == ["cache", "number"]
    assert left_out((IDS, MASK), ["a", "b"]) == []
