"""ONNX Runtime's nodes as layers, and its profile of them."""

from __future__ import annotations

import numpy as np
import pytest
from ort_versions import names_nodes

from pytest_infer.engines.adapters import ort
from pytest_infer.engines.adapters.ort.layers import origins
from pytest_infer.engines.adapters.ort.profile import layer_times
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Missing
from pytest_infer.graphs.export import export_onnx
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.graphs.graph_nodes import nodes_of
from pytest_infer.graphs.layer_cover import layers_of_nodes
from pytest_infer.models import registry as models
from pytest_infer.testing.contract_model import contract_cnn

DEFAULTS = {name: option.default for name, option in ort.ENGINE.options.items()}
SPEC = models.find("contract_cnn").spec


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltEngine:
    """A real engine of a small network."""
    folder = tmp_path_factory.mktemp("engine")
    file = tmp_path_factory.mktemp("graph") / "graph.onnx"
    request = BuildRequest("fp32", "cpu", SPEC.input_shapes(2), DEFAULTS)
    export_onnx(contract_cnn(), SPEC, file, GraphRequest("onnx"), {})
    graph = Graph(SPEC, str(file), "", GraphRequest("onnx"))
    ort.ENGINE.build(graph, request, folder)
    return BuiltEngine("ort", graph, request, str(folder))


@pytest.fixture
def feeds() -> dict[str, np.ndarray]:
    """Inputs of two rows."""
    shapes = SPEC.input_shapes(2)
    return {name: np.ones(shape, "float32") for name, shape in shapes.items()}


@names_nodes
def test_times_of_every_node(built: BuiltEngine, feeds: dict[str, np.ndarray]) -> None:
    """Each node of the session has a time of each call after the warm-up."""
    with ort.ENGINE.open(built) as runner:
        layers = runner.layers()
    found = ort.ENGINE.profile(built, feeds, warmup=2, calls=4)
    assert {each.name for each in found.layers} == {each.name for each in layers}
    assert all(len(each.durations_ns) == 4 for each in found.layers)
    assert sum(sum(each.durations_ns) for each in found.layers) > 0
    products = [each for each in found.layers if each.operator in {"Conv", "FusedConv", "Gemm"}]
    assert products
    assert all((each.place, each.precision) == ("CPU", "fp32") for each in products)


@names_nodes
def test_every_node_of_the_graph_became_a_part_of_a_layer(built: BuiltEngine) -> None:
    """By its own names ONNX Runtime says what it fused."""
    from pathlib import Path

    with ort.ENGINE.open(built) as runner:
        layers = runner.layers()
    nodes = nodes_of(Path(built.graph.file))
    owners = layers_of_nodes(nodes, layers)
    assert None not in owners
    for node, owner in zip(nodes, owners, strict=True):
        if node.operator in {"Conv", "Gemm"}:
            assert node.operator in layers[owner].operator


def test_a_gpu_has_no_profile(built: BuiltEngine, feeds: dict[str, np.ndarray]) -> None:
    """There ONNX Runtime knows of launches only."""
    request = BuildRequest("fp32", "cuda:0", built.request.shapes, DEFAULTS)
    on_gpu = BuiltEngine("ort", built.graph, request, built.folder)
    assert isinstance(ort.ENGINE.profile(on_gpu, feeds, warmup=0, calls=1), Missing)


def event(name: str, duration_us: int, index: int = 0, cat: str = "Node") -> dict:
    """Return an event as ONNX Runtime writes it."""
    about = {"op_name": "Conv", "provider": "CPUExecutionProvider", "node_index": str(index)}
    return {"cat": cat, "name": name, "dur": duration_us, "args": about}


def test_events() -> None:
    """Warm-up is left out; nodes in a loop are added per call, and names may be alike."""
    one = [
        event("model_run", 900, cat="Session"),
        event("a_kernel_time", 10),
        event("a_fence_before", 5),
        event("_kernel_time", 20, 1),
        event("loop_kernel_time", 1, 2),
        event("loop_kernel_time", 2, 2),
        event("a_kernel_time", 7, 3),
    ]
    calls = [{**each, "dur": factor * each["dur"]} for factor in (100, 1, 2) for each in one]
    found = layer_times(calls, warmup=1, calls=2).layers
    assert [(each.name, each.durations_ns) for each in found] == [
        ("a", (10_000, 20_000)),
        ("node 1", (20_000, 40_000)),
        ("loop", (3_000, 6_000)),
        ("a", (7_000, 14_000)),
    ]


def test_names_before_optimization() -> None:
    """What its optimizers add to a name is taken off."""
    assert origins("relu_1_nchwc") == ("relu_1_nchwc", "relu_1")
    assert origins("node_Conv_7_token_12") == ("node_Conv_7_token_12", "node_Conv_7")
    assert origins("node_Conv_7") == ("node_Conv_7",)
