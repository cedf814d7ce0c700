"""Exported graphs have the opset, the names and the dynamic dimensions that were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from pytest_infer.errors import ExportError
from pytest_infer.graphs.export import check_graph, export_onnx, signature_of
from pytest_infer.graphs.graph import OPSET, GraphRequest
from pytest_infer.models.source import Source
from pytest_infer.models.spec import Dim, ModelSpec, TensorSpec
from pytest_infer.testing.contract_model import contract_cnn

if TYPE_CHECKING:
    from pathlib import Path

SPEC = ModelSpec(
    name="contract_cnn",
    task="tensor",
    inputs={"image": TensorSpec(("batch", 3, 16, 16))},
    outputs={
        "scores": TensorSpec(("batch", 16)),
        "features": TensorSpec(("batch", 64, 16, 16)),
    },
    source=Source(module="pytest_infer.testing.contract_model"),
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the tracing exporter is torch's old
    pytest.mark.filterwarnings("ignore::UserWarning:torch"),
]


@pytest.mark.parametrize("opset", [17, OPSET])
def test_file_has_the_opset_and_computes_as_eager(tmp_path: Path, opset: int) -> None:
    """At either opset the file says so, takes any batch, and gives eager's outputs."""
    import onnx
    import torch
    from onnxruntime import InferenceSession

    module, path = contract_cnn(), tmp_path / "graph.onnx"
    export_onnx(module, SPEC, path, GraphRequest("onnx", opset=opset), {})
    assert [entry.version for entry in onnx.load(path).opset_import if not entry.domain] == [opset]
    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        image = np.random.default_rng(0).normal(size=(batch, 3, 16, 16)).astype(np.float32)
        with torch.inference_mode():
            expected = module(torch.tensor(image))
        for value, wanted in zip(session.run(None, {"image": image}), expected, strict=True):
            np.testing.assert_allclose(value, wanted.numpy(), rtol=1e-4, atol=1e-6)


def test_another_opset_than_asked_for_is_an_error(tmp_path: Path) -> None:
    """A file at opset 17 does not pass for one at 18."""
    path = tmp_path / "graph.onnx"
    export_onnx(contract_cnn(), SPEC, path, GraphRequest("onnx", opset=17), {})
    with pytest.raises(ExportError) as caught:
        check_graph(path, SPEC, opset=18)
    assert str(caught.value) == (
        "contract_cnn was exported at opset 17 instead of 18\n"
        "  why:  the exporter could not convert the graph and kept its own opset\n"
        "  mend: ask for opset 17, or for an exporter that writes opset 18"
    )


def test_reduction_at_17_has_its_axes_as_an_attribute(tmp_path: Path) -> None:
    """What TensorRT 8.6 misreads, axes as an input, is not in a graph of opset 17."""
    import onnx

    path = tmp_path / "graph.onnx"
    export_onnx(contract_cnn(), SPEC, path, GraphRequest("onnx", opset=17), {})
    means = [node for node in onnx.load(path).graph.node if node.op_type == "ReduceMean"]
    assert [_axes(node) for node in means] == [[2, 3]]
    assert [len(node.input) for node in means] == [1]


def _axes(node: Any) -> list[int]:
    return next(list(value.ints) for value in node.attribute if value.name == "axes")


def test_static_file_has_the_shapes(tmp_path: Path) -> None:
    """A file that is to be static has the case's sizes, in its outputs too."""
    import onnx

    path = tmp_path / "graph.onnx"
    request = GraphRequest("onnx", is_static=True)
    export_onnx(contract_cnn(), SPEC, path, request, {"image": (1, 3, 16, 16)})
    graph = onnx.load(path).graph
    assert _dims(graph.input[0]) == [1, 3, 16, 16]
    assert _dims(graph.output[0]) == [1, 16]


def test_static_file_of_another_batch_is_an_error(tmp_path: Path) -> None:
    """A size that was baked in wrongly does not pass."""
    path = tmp_path / "graph.onnx"
    request = GraphRequest("onnx", is_static=True)
    export_onnx(contract_cnn(), SPEC, path, request, {"image": (1, 3, 16, 16)})
    wanted = signature_of(SPEC, request, {"image": (2, 3, 16, 16)})
    with pytest.raises(ExportError) as caught:
        check_graph(path, wanted, opset=OPSET)
    assert caught.value.why == "image: dimension 0 (2) is 1"


def test_file_in_fp16(tmp_path: Path) -> None:
    """Weights, inputs and outputs are of the precision that was asked for."""
    import onnx

    path = tmp_path / "graph.onnx"
    export_onnx(contract_cnn(), SPEC, path, GraphRequest("onnx", precision="fp16"), {})
    graph = onnx.load(path).graph
    kinds = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    weights = {w.data_type for w in graph.initializer if w.data_type != onnx.TensorProto.INT64}
    assert kinds | weights == {onnx.TensorProto.FLOAT16}


def _dims(value: Any) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


class Recurrent(torch.nn.Module):
    """Takes a sequence of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = torch.nn.GRU(3, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the states."""
        states: torch.Tensor = self.gru(x)[0]
        return states


@pytest.mark.parametrize("make", [Recurrent, lambda: torch.jit.script(Recurrent().eval())])
def test_what_only_tracing_keeps_whole(tmp_path: Path, make: Any) -> None:
    """A recurrent layer takes any length, and TorchScript can be exported."""
    from onnxruntime import InferenceSession

    spec = ModelSpec(
        "recurrent",
        "tensor",
        {"x": TensorSpec(("batch", "time", 3))},
        {"y": TensorSpec(("batch", "time", 4))},
        Source(module="toy"),
        {"batch": Dim(), "time": Dim(2, 6, 12)},
    )
    module, path = make().eval(), tmp_path / "graph.onnx"
    export_onnx(module, spec, path, GraphRequest("onnx"), {})
    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for batch, time in ((1, 6), (3, 11)):
        x = torch.randn(batch, time, 3)
        (found,) = session.run(None, {"x": x.numpy()})
        np.testing.assert_allclose(found, module(x).detach().numpy(), atol=1e-6)


class _Named(torch.nn.Module):
    """A module whose operators are called as its input and its outputs are."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(9, 4)
        self.last = torch.nn.Linear(4, 3)

    def forward(self, linear: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.last(self.table(linear))
        return found.mean(1), found.sum(1)


@pytest.mark.parametrize("opset", [17, OPSET])
def test_outputs_named_as_operators_are(tmp_path: Path, opset: int) -> None:
    """A name that torch gives a value inside the graph too is the output's; the other one moves."""
    from onnxruntime import InferenceSession

    spec = ModelSpec(
        name="named",
        task="tensor",
        inputs={"linear": TensorSpec(("batch", 5), "int64", 0, 8)},
        outputs={"embedding": TensorSpec(("batch", 3)), "mean": TensorSpec(("batch", 3))},
        source=Source(module="pytest_infer.testing.contract_model"),
    )
    module, path = _Named().eval(), tmp_path / "graph.onnx"
    export_onnx(module, spec, path, GraphRequest("onnx", opset=opset), {})
    rows = torch.arange(10).reshape(2, 5) % 9
    found = InferenceSession(path, providers=["CPUExecutionProvider"]).run(
        ["embedding", "mean"], {"linear": rows.numpy()}
    )
    with torch.inference_mode():
        for value, wanted in zip(found, module(rows), strict=True):
            np.testing.assert_allclose(value, wanted.numpy(), rtol=1e-5, atol=1e-6)


class _Attending(torch.nn.Module):
    """Attention with a mask, whose rows are joined again: as T5 and Swin do."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.parts = torch.nn.Linear(4, 4)
        self.bias = torch.nn.Parameter(torch.randn(1, 2, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        parts = self.parts(x).view(batch, length, 2, 2).transpose(1, 2)
        bias = self.bias * x.new_ones(1, 2, length, length).triu()
        found = torch.nn.functional.scaled_dot_product_attention(
            parts, parts, parts, attn_mask=bias
        )
        return found.transpose(1, 2).reshape(batch, length, -1)


def test_attention_is_exported_as_products(tmp_path: Path) -> None:
    """The strides of the CPU's fused attention, which torch cannot decompose, stay out of it."""
    from onnxruntime import InferenceSession

    spec = ModelSpec(
        name="attending",
        task="tensor",
        inputs={"x": TensorSpec(("batch", "length", 4))},
        outputs={"y": TensorSpec(("batch", "length", 4))},
        source=Source(module="pytest_infer.testing.contract_model"),
        dims={"batch": Dim(1, 1, 8), "length": Dim(2, 16, 64)},
    )
    module, path = _Attending().eval(), tmp_path / "graph.onnx"
    export_onnx(module, spec, path, GraphRequest("onnx"), {})
    x = torch.arange(24.0).reshape(1, 6, 4) / 24
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(["y"], {"x": x.numpy()})
    with torch.inference_mode():
        np.testing.assert_allclose(found, module(x).numpy(), rtol=1e-5, atol=1e-6)


class _Counting(torch.nn.Module):
    """A module that asks for its batch by ``len``, which torch's default tracing fixes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.new_ones(len(x), 1) + x.sum(1, keepdim=True)


class _Looping(torch.nn.Module):
    """A module that walks over its batch in Python."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[row] * 2 for row in range(len(x))])


def test_size_that_cannot_stay_dynamic(tmp_path: Path) -> None:
    """The error names the size and the line, and no more of torch's stack."""
    spec = ModelSpec(
        name="looping",
        task="tensor",
        inputs={"x": TensorSpec(("batch", 4))},
        outputs={"y": TensorSpec(("batch", 4))},
        source=Source(module="pytest_infer.testing.contract_model"),
    )
    with pytest.raises(ExportError) as caught:
        export_onnx(_Looping().eval(), spec, tmp_path / "g.onnx", GraphRequest("onnx"), {})
    assert "You marked batch as dynamic" in caught.value.why
    assert caught.value.why.splitlines()[-1].startswith("return torch.stack(")
    assert len(caught.value.why.splitlines()) < 8
    assert caught.value.mend.endswith("or state a fixed one (inputs= or --infer-input)")


def test_batch_that_is_asked_for_by_len_stays_dynamic(tmp_path: Path) -> None:
    """Such a module is traced by Dynamo, and its file takes any batch (RT-DETR is one)."""
    from onnxruntime import InferenceSession

    spec = ModelSpec(
        name="counting",
        task="tensor",
        inputs={"x": TensorSpec(("batch", 4))},
        outputs={"y": TensorSpec(("batch", 1))},
        source=Source(module="pytest_infer.testing.contract_model"),
    )
    path = tmp_path / "graph.onnx"
    export_onnx(_Counting().eval(), spec, path, GraphRequest("onnx"), {})
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        found = session.run(["y"], {"x": np.ones((batch, 4), np.float32)})[0]
        np.testing.assert_array_equal(found, np.full((batch, 1), 5, np.float32))
