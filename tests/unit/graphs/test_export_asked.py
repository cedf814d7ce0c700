"""What is asked of the exporter, and what is refused of what it wrote."""

from types import SimpleNamespace

import pytest

from pytest_infer.errors import ExportError
from pytest_infer.graphs.dynamic_dims import TRACE_BATCH
from pytest_infer.graphs.export import check_graph, export_onnx
from pytest_infer.graphs.graph import OPSET, GraphRequest
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

onnx = pytest.importorskip("onnx")
ir = pytest.importorskip("onnx_ir")
torch = pytest.importorskip("torch")

SPEC = ModelSpec(
    name="toy",
    task="tensor",
    inputs={"image": TensorSpec(("batch", 3))},
    outputs={"scores": TensorSpec(("batch", 3))},
    source=Source(module="toy"),
)


def write(path, *, opset=OPSET, names=("image", "scores"), shape=("batch", 3)):
    """Write a graph of one ReLU."""
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in names
    ]
    node = onnx.helper.make_node("Relu", [names[0]], [names[1]])
    graph = onnx.helper.make_graph([node], "toy", values[:1], values[1:])
    opsets = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("other", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets), path)


def program(path, **wrong):
    """Return what torch's exporter returns: the same graph, which is saved later."""
    write(path, **wrong)
    found = ir.load(path)
    return SimpleNamespace(model=found, save=lambda target: ir.save(found, target))


def test_right_graph(tmp_path):
    """The opset, names and dynamic dimensions that were asked for are accepted."""
    write(tmp_path / "graph.onnx")
    check_graph(tmp_path / "graph.onnx", SPEC, opset=OPSET)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"opset": 20},
            (
                "toy was exported at opset 20 instead of 18\n"
                "  why:  the exporter could not convert the graph and kept its own opset\n"
                "  mend: ask for opset 20, or for an exporter that writes opset 18"
            ),
        ),
        (
            {"names": ("input", "scores")},
            (
                "toy was exported with other inputs than its spec\n"
                "  why:  the file has ['input'], the spec ['image']\n"
                "  mend: name them in the model's decorator in the order of the module's own"
            ),
        ),
        (
            {"names": ("image", "output")},
            (
                "toy was exported with other outputs than its spec\n"
                "  why:  the file has ['output'], the spec ['scores']\n"
                "  mend: name them in the model's decorator in the order of the module's own"
            ),
        ),
        (
            {"shape": (2, 3)},
            (
                "toy was exported with other dimensions than its spec\n"
                "  why:  image: dimension 0 (batch) is 2\n"
                "  mend: remove Python arithmetic on shapes from forward(), or declare the size as "
                "fixed"
            ),
        ),
        (
            {"shape": ("batch", 3, 1)},
            (
                "toy was exported with other dimensions than its spec\n"
                "  why:  image: 3 dimensions instead of 2\n"
                "  mend: remove Python arithmetic on shapes from forward(), or declare the size as "
                "fixed"
            ),
        ),
    ],
)
def test_wrong_graph(tmp_path, monkeypatch, wrong, message):
    """Whatever the exporter wrote instead is reported; torch itself only warns."""
    written = program(tmp_path / "written.onnx", **wrong)
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: written)
    with pytest.raises(ExportError) as caught:
        export_onnx(torch.nn.ReLU(), SPEC, tmp_path / "graph.onnx", GraphRequest("onnx"), {})
    assert str(caught.value) == message


def test_what_is_asked_of_torch(tmp_path, monkeypatch):
    """The dynamo exporter is asked for this opset, these names and an example batch above 1."""
    asked = {}

    def exporter(_, example, **settings):
        asked.update(settings, shapes=[tuple(each.shape) for each in example])
        return program(tmp_path / "written.onnx")

    monkeypatch.setattr(torch.onnx, "export", exporter)
    export_onnx(torch.nn.ReLU(), SPEC, tmp_path / "graph.onnx", GraphRequest("onnx"), {})
    assert asked["shapes"] == [(TRACE_BATCH, 3)]
    assert (asked["dynamo"], asked["opset_version"]) == (True, 18)
    assert (asked["input_names"], asked["output_names"]) == (["image"], ["scores"])
    assert list(asked["dynamic_shapes"][0][0]) == [0]


def test_exporter_that_raises(tmp_path, monkeypatch):
    """An exporter's own error is kept as the reason."""

    def exporter(*_, **__):
        raise RuntimeError("unsupported operator")

    monkeypatch.setattr(torch.onnx, "export", exporter)
    with pytest.raises(ExportError) as caught:
        export_onnx(torch.nn.ReLU(), SPEC, tmp_path / "graph.onnx", GraphRequest("onnx"), {})
    assert str(caught.value) == (
        "cannot export toy to ONNX\n  why:  RuntimeError: unsupported operator\n"
        "  mend: make the module exportable by torch.onnx.export(dynamo=True, opset_version=18)"
    )
