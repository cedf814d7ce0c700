"""A bundle of a model that a text names is replayed without what it came from."""

import shutil

import numpy as np
import pytest

from pytest_infer.case import Case
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.models import registry as models
from pytest_infer.models.draft import reading_of
from pytest_infer.models.model_from import register_source, source_from_text
from pytest_infer.session.bundle import Failure, write_bundle
from pytest_infer.testing import replay
from pytest_infer.verdict import Verdict

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with an ONNX file of one product, whose weights lie beside it."""
    for known in ("_registry", "_unread"):
        monkeypatch.setattr(models, known, dict(getattr(models, known)))
    folder = tmp_path / "home"
    folder.mkdir()
    value = onnx.helper.make_tensor_value_info
    weights = onnx.numpy_helper.from_array(np.eye(3, dtype=np.float32) * 2, "w")
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [value(name, onnx.TensorProto.FLOAT, ["batch", 3]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([node], "toy", ends[:1], ends[1:], [weights])
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    made.ir_version = 10  # the newest that the oldest ONNX Runtime reads
    onnx.save_model(
        made, folder / "text_toy.onnx", save_as_external_data=True, location="w.bin",
        size_threshold=0,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize(("factor", "status"), [(2.0, "pass"), (2.5, "fail")])
def test_replay_of_a_file(home, tmp_path, monkeypatch, factor, status):
    """Its engine is built from the copy, and judged by the outputs in the bundle."""
    source = source_from_text("text_toy.onnx", home, ())
    register_source(source)
    reading = reading_of(models.unread("text_toy"))
    x = np.float32([[1, 2, 3]])
    beside = (str(home / "w.bin"),)
    graph = Graph(reading.spec, source.file, "digest", GraphRequest("onnx", opset=17), beside)
    outputs = {"y": x * np.float32(factor)}
    failure = Failure(
        Case("text_toy", "ort", "fp32", 1, "cpu"), graph, {"x": x},
        {"fp64": outputs, "fp32": {"y": outputs["y"] * np.float32(1 + 1e-6)}}, (), None, {},
        Verdict("parity", "fail", "diverged", "it diverged"), "no layer", [source], reading.has,
    )  # fmt: skip
    bundle = write_bundle(tmp_path / "bundle", failure).parent
    shutil.rmtree(home)
    monkeypatch.setattr(models, "_registry", {})
    monkeypatch.setattr(models, "_unread", {})
    assert [verdict.status for verdict in replay(bundle)] == [status]
