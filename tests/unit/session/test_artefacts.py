"""Graphs are exported as their engine wants them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_infer.case import Case
from pytest_infer.config import InferConfig
from pytest_infer.engines import registry as engines
from pytest_infer.engines.adapters import trt
from pytest_infer.engines.cuda_graph import CUDA_GRAPH
from pytest_infer.errors import BuildError
from pytest_infer.graphs.graph import OPSET, GraphRequest
from pytest_infer.hosts.engine_operations import EngineOperations
from pytest_infer.hosts.wire import as_type, packed
from pytest_infer.session.artefacts import Artefacts
from pytest_infer.storage.cache import Cache


class Hosts:
    """Answers what artefacts ask of hosts, and writes what was asked for instead of files."""

    def __init__(self) -> None:
        self.exported: list[GraphRequest] = []
        self.quantized = 0
        self.external = ""

    def shared(self, engine: str) -> Hosts:
        """Return the one host of every engine."""
        assert engine
        return self

    def models(self) -> Hosts:
        """Return the host that has the models."""
        return self

    def call(self, operation: str, /, *, error: type, doing: str, **arguments: Any) -> Any:
        """Answer one operation."""
        assert error
        assert doing
        if operation == "engine.graph_request":
            return packed(EngineOperations().graph_request(**packed(arguments)))
        if operation == "graph.export":
            self.exported.append(as_type(packed(arguments["request"]), GraphRequest))
            _write(arguments, "graph.onnx", f"{arguments['request']} {arguments['shapes']}")
            if self.external:
                _write(arguments, "graph.onnx.data", self.external)
        if operation == "graph.quantize":
            self.quantized += 1
            _write(
                arguments,
                "graph.onnx",
                f"int8 of {arguments['graph'].digest} as {arguments['request']}",
            )
        if operation == "model.write_weights":
            _write(arguments, "weights.safetensors", "weights")
            return "the structure of the weights"
        if operation == "model.probe":
            return {"answer": {}, "seconds": 0.1}
        return {}


def _write(arguments: dict[str, Any], name: str, text: str) -> None:
    Path(arguments["folder"], name).write_text(text)


class Wants:
    """An engine that wants its own kind of graph."""

    name = "wants"

    def __init__(self, **wanted: Any) -> None:
        self.options: dict[str, Any] = {}
        self.builds_files = True
        self._wanted = wanted

    def graph_request(self, request: Any) -> GraphRequest:
        """Return what it was made to want."""
        assert request.shapes
        return GraphRequest("onnx", **self._wanted)


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """A host in which TensorRT 8.6 is installed."""
    monkeypatch.setattr(trt, "installed_version", lambda: "8.6.0")
    return Hosts()


def _artefacts(hosts: Hosts, folder: Path) -> Artefacts:
    return Artefacts(InferConfig(device="cpu", cache=folder), Cache(folder), hosts)


def case(engine: str, batch: int = 1) -> Case:
    """Return a case of ResNet-50."""
    return Case("resnet50", engine, "fp32", batch, "cpu")


def test_each_engine_gets_its_opset(hosts: Hosts, tmp_path: Path) -> None:
    """TensorRT 8.6 is built from opset 17, ONNX Runtime from the usual one, of the same model."""
    artefacts = _artefacts(hosts, tmp_path)
    old, usual = (artefacts.graphs.of(case(engine)) for engine in ("trt", "ort"))
    assert (old.request.opset, usual.request.opset) == (17, OPSET)
    assert [request.opset for request in hosts.exported] == [17, OPSET]
    assert old.digest != usual.digest


def test_opset_is_part_of_the_key(hosts: Hosts, tmp_path: Path) -> None:
    """A later run finds the graph of each opset, and none in place of the other."""
    first = _artefacts(hosts, tmp_path).graphs.of(case("trt"))
    later = _artefacts(hosts, tmp_path)
    assert later.graphs.of(case("trt")) == first
    assert later.graphs.of(case("ort")) != first
    assert len(hosts.exported) == 2


def test_batches_share_a_dynamic_graph(hosts: Hosts, tmp_path: Path) -> None:
    """A graph with dynamic dimensions is exported once for all batch sizes."""
    artefacts = _artefacts(hosts, tmp_path)
    assert artefacts.graphs.of(case("ort", 1)) == artefacts.graphs.of(case("ort", 8))
    assert len(hosts.exported) == 1


@pytest.mark.parametrize("builds_files", [True, False])
def test_setting_for_a_gpu_on_a_cpu(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, builds_files: bool
) -> None:
    """It would have no effect there: nothing is exported, built or opened under its name."""
    engine = Wants()
    engine.options = {"cuda_graph": CUDA_GRAPH}
    engine.builds_files = builds_files
    monkeypatch.setattr(engines, "find", lambda _: engine)
    artefacts = _artefacts(hosts, tmp_path)
    with pytest.raises(BuildError) as caught:
        artefacts.engines.of(replace(case("wants"), options=(("cuda_graph", True),)))
    assert str(caught.value) == (
        "cannot build for wants with cuda_graph=true\n"
        "  why:  the device is cpu, and cuda_graph is for a GPU\n"
        "  mend: --infer-device=cuda, or leave out --infer-option=wants.cuda_graph=true"
    )
    assert not hosts.exported
    if not builds_files:
        assert artefacts.engines.of(case("wants")).folder == ""


def test_external_data_is_content(hosts: Hosts, tmp_path: Path) -> None:
    """Weights in a file beside the ONNX file make another graph, although the file is the same."""
    plain = _artefacts(hosts, tmp_path / "plain").graphs.of(case("ort"))
    hosts.external = "weights"
    beside = _artefacts(hosts, tmp_path / "beside").graphs.of(case("ort"))
    assert Path(beside.file).read_text() == Path(plain.file).read_text()
    assert Path(beside.file).name == "graph.onnx"
    assert beside.digest != plain.digest
    hosts.external = "other weights"
    other = _artefacts(hosts, tmp_path / "other").graphs.of(case("ort"))
    assert Path(other.file).read_text() == Path(beside.file).read_text()
    assert other.digest != beside.digest


def test_damaged_external_data_is_exported_again(hosts: Hosts, tmp_path: Path) -> None:
    """A flip in the file beside is as bad as one in the graph."""
    hosts.external = "weights"
    first = _artefacts(hosts, tmp_path).graphs.of(case("ort"))
    Path(first.file).with_name("graph.onnx.data").write_text("weighty")
    again = _artefacts(hosts, tmp_path).graphs.of(case("ort"))
    assert again == first
    assert len(hosts.exported) == 2
    assert Path(first.file).with_name("graph.onnx.data").read_text() == "weights"


def wanting(monkeypatch: pytest.MonkeyPatch, **wanted: Any) -> Case:
    """Register an engine that wants such a graph; return a case of it."""
    engine = Wants(**wanted)
    known = engines.find
    monkeypatch.setattr(engines, "find", lambda name: engine if name == "wants" else known(name))
    return case("wants")


def test_a_static_graph_belongs_to_its_batch(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A static graph is exported again for another batch size."""
    one = wanting(monkeypatch, is_static=True)
    artefacts = _artefacts(hosts, tmp_path)
    assert artefacts.graphs.of(one).digest != artefacts.graphs.of(case("wants", 8)).digest


def test_int8_is_quantized_from_the_exact_graph(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fp32 graph is exported at the same opset, then quantized once."""
    one = wanting(monkeypatch, precision="int8", opset=17)
    for _ in range(2):
        graph = _artefacts(hosts, tmp_path).graphs.of(one)
    assert hosts.exported == [GraphRequest("onnx", opset=17)]
    assert hosts.quantized == 1
    assert Path(graph.file).read_text().startswith("int8 of ")


def test_schemes_of_int8_share_the_exact_graph(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorRT's scheme makes another quantized graph, of the same exported one."""
    graphs = [
        _artefacts(hosts, tmp_path).graphs.of(
            wanting(monkeypatch, precision="int8", is_symmetric=is_symmetric)
        )
        for is_symmetric in (False, True)
    ]
    assert [graph.request.is_symmetric for graph in graphs] == [False, True]
    assert graphs[0].digest != graphs[1].digest
    assert hosts.exported == [GraphRequest("onnx")]
    assert hosts.quantized == 2


def test_pruned_weights_make_another_graph(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pruned model's graph is never taken for the dense one's."""
    one = wanting(monkeypatch, is_pruned=True)
    artefacts = _artefacts(hosts, tmp_path)
    assert artefacts.graphs.of(one).digest != artefacts.graphs.of(case("ort")).digest
    assert artefacts.graphs.module("resnet50", is_pruned=True) != artefacts.graphs.module(
        "resnet50"
    )
