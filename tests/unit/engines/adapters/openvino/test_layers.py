"""OpenVINO's nodes as layers, and its performance counters."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_infer.engines.adapters import openvino
from pytest_infer.engines.adapters.openvino.layers import layer_times, ran_layers
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.graphs.export import export_onnx
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.graphs.ran_layer import RanLayer
from pytest_infer.models import registry as models
from pytest_infer.testing.contract_model import contract_cnn

SPEC = models.find("contract_cnn").spec
DEFAULTS = {name: option.default for name, option in openvino.ENGINE.options.items()}


class Status(Enum):
    """As OpenVINO has it."""

    EXECUTED = 1
    NOT_RUN = 2


def counter(name: str, duration_us: int, status: Status = Status.EXECUTED) -> SimpleNamespace:
    """Return a counter as OpenVINO has it, whose class has the statuses."""
    return SimpleNamespace(
        node_name=name,
        node_type="Convolution",
        status=status,
        Status=Status,
        real_time=timedelta(microseconds=duration_us),
    )


def test_counters() -> None:
    """Nodes that did not run have no time; each call is a duration."""
    calls = [[counter("a", 12), counter("b", 0, Status.NOT_RUN)], [counter("a", 14)]]
    layers = [RanLayer("a", "Convolution", "CPU", "int8", ("conv", "relu"))]
    (found,) = layer_times(calls, layers).layers
    assert (found.name, found.durations_ns) == ("a", (12_000, 14_000))
    assert (found.precision, found.covers) == ("int8", ("conv", "relu"))


class Fact(str):
    """A value of a node's facts, which has a method for its type."""

    def astype(self, _kind: type) -> str:
        """Return it as text."""
        return str(self)


def node(layer: str, precision: str, names: str = "a,b") -> SimpleNamespace:
    """Return a node of a runtime model."""
    facts = {"layerType": layer, "runtimePrecision": precision, "originalLayersNames": names}
    return SimpleNamespace(
        get_rt_info=lambda: {name: Fact(value) for name, value in facts.items()},
        get_friendly_name=layer.lower,
    )


@pytest.mark.parametrize(
    ("layer", "precision", "computes_in"),
    [
        ("Convolution", "u8", "int8"),
        ("Eltwise", "bf16", "bf16"),
        ("Eltwise", "i64", ""),
        ("Reorder", "f32", ""),
        ("Subgraph", "dynamic", "unknown precision"),
    ],
)
def test_precisions(layer: str, precision: str, computes_in: str) -> None:
    """Bytes mean int8 in products; what moves or counts has none; constants are no layers."""
    (found,) = ran_layers([node("Const", "f32"), node(layer, precision)])
    assert (found.operator, found.precision, found.covers) == (layer, computes_in, ("a", "b"))


def test_a_real_engine(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its nodes have times, and say which nodes of the graph they were made from."""
    pytest.importorskip("openvino")
    file = tmp_path_factory.mktemp("graph") / "graph.onnx"
    folder = tmp_path_factory.mktemp("engine")
    shapes = SPEC.input_shapes(2)
    request = BuildRequest("fp32", "cpu", shapes, DEFAULTS)
    export_onnx(contract_cnn(), SPEC, file, GraphRequest("onnx"), {})
    graph = Graph(SPEC, str(file), "", GraphRequest("onnx"))
    openvino.ENGINE.build(graph, request, folder)
    built = BuiltEngine("openvino", graph, request, str(folder))
    feeds = {name: np.ones(shape, "float32") for name, shape in shapes.items()}
    found = openvino.ENGINE.profile(built, feeds, warmup=1, calls=3)
    products = [each for each in found.layers if each.precision == "fp32" and each.covers]
    assert products
    assert all(len(each.durations_ns) == 3 for each in found.layers)
