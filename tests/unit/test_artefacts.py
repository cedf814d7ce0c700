"""Graphs are exported at the operator set that their engine reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_infer.artefacts import Artefacts
from pytest_infer.cache import Cache
from pytest_infer.config import InferConfig
from pytest_infer.engines import trt
from pytest_infer.export import OPSET
from pytest_infer.hosts.engine_operations import EngineOperations


class Hosts:
    """Answers what artefacts ask of hosts, and writes what was asked for instead of files."""

    def __init__(self) -> None:
        self.exported: list[int] = []

    def shared(self, engine: str) -> Hosts:
        """Return the one host of every engine."""
        assert engine
        return self

    def call(self, operation: str, /, *, error: type, doing: str, **arguments: Any) -> Any:
        """Answer one operation."""
        assert error
        assert doing
        if operation == "engine.opset":
            return EngineOperations().opset(**arguments)
        if operation == "model.export":
            self.exported.append(arguments["opset"])
            Path(arguments["folder"], "graph.onnx").write_text(str(arguments["opset"]))
        if operation == "model.write_weights":
            Path(arguments["folder"], "weights.safetensors").write_text("weights")
        return {}


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """A host in which TensorRT 8.6 is installed."""
    monkeypatch.setattr(trt, "installed_version", lambda: "8.6.0")
    return Hosts()


def _artefacts(hosts: Hosts, folder: Path) -> Artefacts:
    return Artefacts(InferConfig(device="cpu", cache=folder), Cache(folder), hosts)


def test_each_engine_gets_its_opset(hosts: Hosts, tmp_path: Path) -> None:
    """TensorRT 8.6 is built from opset 17, ONNX Runtime from the usual one, of the same model."""
    artefacts = _artefacts(hosts, tmp_path)
    old, usual = (artefacts.graph("resnet50", engine) for engine in ("trt", "ort"))
    assert (old.opset, usual.opset) == (17, OPSET)
    assert hosts.exported == [17, OPSET]
    assert Path(old.file).read_text() == "17"
    assert old.digest != usual.digest


def test_opset_is_part_of_the_key(hosts: Hosts, tmp_path: Path) -> None:
    """A later run finds the graph of each opset, and none in place of the other."""
    _artefacts(hosts, tmp_path).graph("resnet50", "trt")
    later = _artefacts(hosts, tmp_path)
    assert later.graph("resnet50", "trt").opset == 17
    assert later.graph("resnet50", "ort").opset == OPSET
    assert hosts.exported == [17, OPSET]


def test_an_engine_without_an_opinion_takes_any_opset() -> None:
    """Only an engine that limits the opset answers."""
    assert EngineOperations().opset("ort") is None
