"""Constant weights of an exported graph are found, with the axis of their inputs."""

import pytest

from pytest_infer.graphs.export import export_onnx
from pytest_infer.graphs.facts import graph_facts
from pytest_infer.graphs.graph import GraphRequest
from pytest_infer.graphs.onnx_weights import weights_of
from pytest_infer.graphs.pruning import prune
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

LAYERS = {
    "matrix": (lambda: torch.nn.Linear(8, 12), (8,), (12,)),
    "rows": (lambda: torch.nn.Linear(8, 12), (5, 8), (5, 12)),
    "filters": (lambda: torch.nn.Conv1d(8, 12, 3), (8, 9), (12, 7)),
    "attention": (
        lambda: torch.nn.TransformerEncoderLayer(8, 2, 12, batch_first=True).eval(),
        (5, 8),
        (5, 8),
    ),
}


def exported(path, kind, opset, *, is_pruned):
    """Export a layer, pruned or not."""
    make, taken, returned = LAYERS[kind]
    torch.manual_seed(0)
    module = torch.nn.Sequential(make())
    if is_pruned:
        prune(module)
    inputs = {"x": TensorSpec(("batch", *taken))}
    outputs = {"y": TensorSpec(("batch", *returned))}
    spec = ModelSpec("toy", "tensor", inputs, outputs, Source(module="toy"))
    request = GraphRequest("onnx", opset=opset, is_static=opset < 18)
    export_onnx(module, spec, path, request, spec.input_shapes(2))
    return module


@pytest.mark.parametrize("opset", [18, 17])
@pytest.mark.parametrize("kind", LAYERS)
def test_every_product_counts(tmp_path, kind, opset):
    """Matrix products as convolutions, of both exporters: all pruned, or nothing."""
    for is_pruned, share in ((True, 1.0), (False, 0.0)):
        path = tmp_path / f"{is_pruned}.onnx"
        exported(path, kind, opset, is_pruned=is_pruned)
        assert graph_facts(path).pruned_share == share


def test_the_axis_is_that_of_the_inputs(tmp_path):
    """The sum over it, of the weights, is the sum over the inputs of torch's own."""
    module = exported(tmp_path / "graph.onnx", "rows", 18, is_pruned=False)
    ((weights, axis),) = weights_of(onnx.load(tmp_path / "graph.onnx").graph)
    sums = module[0].weight.sum(1).detach().numpy()
    assert weights.sum(axis) == pytest.approx(sums, rel=1e-6)


def test_what_is_turned_or_unpacked_is_still_a_constant():
    """A matrix behind a Transpose and a DequantizeLinear; a product of two inputs has none."""
    helper, values = onnx.helper, onnx.numpy_helper.from_array
    import numpy as np

    nodes = [
        helper.make_node("DequantizeLinear", ["stored", "scale"], ["unpacked"]),
        helper.make_node("Transpose", ["unpacked"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "turned"], ["y"]),
        helper.make_node("MatMul", ["x", "y"], ["z"]),
    ]
    stored = values(np.arange(8, dtype=np.int8).reshape(2, 4), "stored")
    scale = values(np.float32(0.5).reshape(()), "scale")
    graph = helper.make_graph(nodes, "toy", [], [], [stored, scale])
    ((weights, axis),) = weights_of(graph)
    assert weights.shape == (4, 2)
    assert axis == -2
