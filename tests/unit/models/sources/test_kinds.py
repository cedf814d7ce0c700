"""Each kind of source gives its model's spec, feeds and module, or says why it cannot."""

from pathlib import Path

import pytest
import torch

from pytest_infer.errors import ModelError
from pytest_infer.models import registry
from pytest_infer.models.feeds import make_feeds
from pytest_infer.models.model_from import register_source, source_from_text
from pytest_infer.models.registry import find
from pytest_infer.models.spec import Dim, TensorSpec


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    """Nothing that is registered here stays."""
    registry.registered()
    for name in ("_registry", "_unread", "_declared"):
        monkeypatch.setattr(registry, name, dict(getattr(registry, name)))


class Mean(torch.nn.Module):
    """Takes any number of samples."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)

    def forward(self, x):
        """Return the mean over time."""
        return self.layer(x).mean(1)


def read(text, *inputs, folder=Path()):
    """Return the model of a text."""
    source = source_from_text(text, folder, inputs)
    register_source(source)
    return find(source.name)


def why(text, *inputs, folder=Path()):
    """Return the error of a text that cannot be read."""
    with pytest.raises(ModelError) as caught:
        read(text, *inputs, folder=folder)
    return caught.value


def feeds_of(model):
    """Return shapes and dtypes of two rows."""
    return {
        name: (each.shape, str(each.dtype)) for name, each in make_feeds(model, 2, None).items()
    }


def test_a_timm_name():
    """Photographs are prepared as timm does it; weights are those that timm has."""
    pytest.importorskip("timm")
    model = read("timm:test_convnext")
    assert model.spec.task == "classification"
    assert model.spec.default_weights == "pretrained"
    assert model.spec.inputs == {"image": TensorSpec(("batch", 3, 160, 160))}
    assert model.spec.outputs == {"output": TensorSpec(("batch", 1000))}
    assert feeds_of(model) == {"image": ((2, 3, 160, 160), "float32")}


def test_another_size_of_photographs():
    """What a user states of the input is what is fed."""
    pytest.importorskip("timm")
    model = read("timm:test_convnext", "image:float32[batch,3,64,96]")
    assert feeds_of(model) == {"image": ((2, 3, 64, 96), "float32")}


def test_a_timm_name_that_does_not_exist():
    """The nearest ones are named."""
    pytest.importorskip("timm")
    error = why("timm:test_convnex")
    assert error.what == "timm has no model 'test_convnex'"
    assert "test_convnext" in error.mend


def test_a_torchvision_name():
    """A dict of outputs has its names; a segmenter's photographs have one size."""
    model = read("torchvision:lraspp_mobilenet_v3_large", "image:float32[batch,3,64,64]")
    assert model.spec.outputs == {"out": TensorSpec(("batch", 21, 64, 64))}
    assert feeds_of(model) == {"image": ((2, 3, 64, 64), "float32")}


def test_torchvision_names_that_cannot_be_had():
    """One is misspelt, one takes a list of images."""
    assert "resnet18" in why("torchvision:resnet81").mend
    error = why("torchvision:fasterrcnn_resnet50_fpn")
    assert error.why == "a model of torchvision.models.detection takes no batch of photographs"


def test_a_scripted_file(tmp_path):
    """Its inputs are stated, its outputs read off."""
    torch.jit.script(Mean().eval()).save(str(tmp_path / "mean.pt"))
    model = read("mean.pt", "x:float32[batch,time,3]", folder=tmp_path)
    assert model.spec.brings_weights
    assert model.spec.dims == {"batch": Dim(), "time": Dim(2, 16, 64)}
    assert model.spec.outputs == {"output": TensorSpec(("batch", 2))}
    assert [path.name for path in model.files()] == ["mean.pt"]


def test_scripted_files_that_cannot_be_had(tmp_path):
    """Without inputs, missing, truncated, or of weights: each has its reason."""
    torch.jit.script(Mean().eval()).save(str(tmp_path / "mean.pt"))
    error = why("mean.pt", folder=tmp_path)
    assert error.why.endswith("forward takes x")
    assert "--infer-input='x:float32[batch,…]'" in error.mend
    assert why("none.pt", folder=tmp_path).what == f"there is no file {tmp_path / 'none.pt'}"
    (tmp_path / "half.pt").write_bytes((tmp_path / "mean.pt").read_bytes()[:400])
    assert "damaged" in why("half.pt", folder=tmp_path).why
    torch.save(Mean().state_dict(), tmp_path / "state.pt")
    assert "holds pickled objects or weights" in why("state.pt", folder=tmp_path).why


def test_a_program(tmp_path):
    """All is in the file, the bounds too; it runs in fp64."""
    batch, time = torch.export.Dim("rows", max=16), torch.export.Dim("time", min=4, max=1000)
    shapes = ({0: batch, 1: time},)
    program = torch.export.export(Mean().eval(), (torch.zeros(2, 8, 3),), dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "mean.pt2")
    model = read("mean.pt2", folder=tmp_path)
    assert model.spec.inputs == {"x": TensorSpec(("batch", "x_1", 3))}
    assert model.spec.outputs == {"output": TensorSpec(("batch", 2))}
    assert model.spec.dims == {"batch": Dim(1, 1, 16), "x_1": Dim(4, 16, 64)}
    exact = model.create().double()(torch.ones(2, 5, 3, dtype=torch.float64))
    assert exact.dtype == torch.float64


def test_programs_that_cannot_be_had(tmp_path):
    """One is missing, one is no program."""
    assert why("none.pt2", folder=tmp_path).why == "it does not exist"
    (tmp_path / "odd.pt2").write_text("no program")
    assert why("odd.pt2", folder=tmp_path).what == f"cannot read {tmp_path / 'odd.pt2'}"


OWN = """
import torch
from pytest_infer import TensorSpec, model


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def forward(self, x, scale=None):
        y = self.layer(x)
        return {"y": y if scale is None else y * scale, "rest": None}


@model(task="classification", example=lambda: torch.zeros(1, 6, 4), dynamic={"x": {1: "time"}})
def own_example():
    return Net().eval()


@model(inputs={"x": TensorSpec(("batch", 4))}, outputs={"y": TensorSpec(("batch", 2))})
def own_spec(pretrained):
    return Net().eval()


def own_plain():
    return Net()
"""


def test_functions(tmp_path):
    """A decorated function keeps its spec; of a plain one the inputs are stated."""
    (tmp_path / "own_nets.py").write_text(OWN)
    texts = [f"own_nets:own_{name}" for name in ("example", "spec", "plain")]
    stated = ["own_plain.x:float32[batch,4]"]
    for text in texts:  # as a host does it: all are registered before any is read
        register_source(source_from_text(text, tmp_path, stated))
    example, spec, plain = (find(text.partition(":")[2]) for text in texts)
    assert example.spec.task == "classification"
    assert example.spec.dims == {"batch": Dim(), "time": Dim(3, 6, 12)}
    assert example.spec.outputs == {"y": TensorSpec(("batch", "time", 2))}
    assert not spec.spec.brings_weights
    assert spec.spec.source.text == f"{tmp_path}/own_nets:own_spec"
    assert plain.spec.outputs == {"y": TensorSpec(("batch", 2))}


def test_functions_that_cannot_be_had(tmp_path):
    """No module, no function, no inputs."""
    (tmp_path / "own_other.py").write_text(OWN)
    assert "ModuleNotFoundError" in why("no_such_nets:net", folder=tmp_path).why
    error = why("own_other:nothing", folder=tmp_path)
    assert error.what == "own_other has no function 'nothing'"
    assert "own_plain" in error.why
    assert why("own_other:own_plain", folder=tmp_path).what == "cannot tell the inputs of own_plain"
