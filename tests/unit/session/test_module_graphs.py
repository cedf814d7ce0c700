"""By what a model is known: its name, its spec, its code, its weights and one answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pytest_infer.config import InferConfig
from pytest_infer.errors import ModelError
from pytest_infer.hosts.graph_operations import GraphOperations
from pytest_infer.hosts.model_client import ModelClient
from pytest_infer.hosts.model_operations import ModelOperations
from pytest_infer.models import registry as models
from pytest_infer.models.source import Source
from pytest_infer.models.spec import Dim, ModelSpec, Profile, TensorSpec
from pytest_infer.session.module_graphs import ModuleGraphs
from pytest_infer.storage.cache import Cache

SPEC = ModelSpec(
    name="toy",
    task="tensor",
    inputs={"image": TensorSpec(("batch", 3)), "mask": TensorSpec(("batch", 3))},
    outputs={"scores": TensorSpec(("batch", 2))},
    source=Source(module="toy"),
)


class Host:
    """Answers what it was made to answer; a probe has its next answer each time."""

    def __init__(self, *answers, spec=SPEC, code="code", weights="weights", structures=("same",)):
        self.spec = spec
        self.code = code
        self.weights = weights
        self.answers = list(answers) or [1.0]
        self.structures = list(structures)
        self.asked = []

    def call(self, operation, /, *, error, doing, folder="", structure="", **_):
        """Answer one operation."""
        assert error is ModelError
        assert doing
        self.asked.append(operation)
        if operation == "model.identity":
            return {"spec": self.spec.as_key(), "code": self.code}
        if operation == "model.write_weights":
            (Path(folder) / "weights.safetensors").write_text(self.weights)
            return self.structures[0]
        if structure != self.structures[-1]:
            self.structures = self.structures[1:] or self.structures
            return {"structure": self.structures[0]}
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return {"answer": {"scores": np.array([answer])}, "seconds": 0.5}


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Return the digest of a model as a host has it, and what was noticed."""

    def call(host, *, folder="cache"):
        model = replace(models.find("resnet50"), spec=host.spec)
        monkeypatch.setattr(models, "find", lambda _: model)
        graphs = ModuleGraphs(InferConfig(), Cache(tmp_path / folder), ModelClient(lambda: host))
        monkeypatch.setattr(host, "graphs", graphs, raising=False)
        digest = graphs.module(host.spec.name, is_pruned=False).digest
        monkeypatch.undo()
        return digest, graphs.notices

    return call


def test_the_same_model_is_the_same(found):
    """Another run, and another cache, find the same digest and notice nothing."""
    digest, notices = found(Host())
    assert found(Host()) == (digest, ())
    assert found(Host(), folder="other") == (digest, ())
    assert notices == ()


@pytest.mark.parametrize(
    "other",
    [
        {"code": "other"},
        {"weights": "other"},
        {"spec": replace(SPEC, name="other")},
        {"spec": replace(SPEC, inputs=dict(reversed(SPEC.inputs.items())))},
        {"spec": replace(SPEC, inputs=SPEC.inputs | {"mask": TensorSpec(("batch", 4))})},
        {"spec": replace(SPEC, inputs=SPEC.inputs | {"mask": TensorSpec(("batch", 3), "int64")})},
        {"spec": replace(SPEC, outputs={"other": TensorSpec(("batch", 2))})},
        {"spec": replace(SPEC, outputs={"scores": TensorSpec(("batch", 2), "float64")})},
        {"spec": replace(SPEC, dims={"batch": Dim(max=8)})},
        {"spec": replace(SPEC, profile=Profile({}, {"batch": Dim(max=8)}))},
        {"spec": replace(SPEC, task="classification")},
    ],
)
def test_whatever_decides_is_in_the_digest(found, other):
    """Names, order, shapes, dtypes, bounds, profile, task, code and weights each do."""
    assert found(Host(**other), folder="other")[0] != found(Host())[0]


def test_place_of_the_code_decides_nothing(found):
    """The same code in another folder is the same model."""
    moved = replace(SPEC, source=Source(file="/elsewhere/conftest.py"))
    assert found(Host(spec=moved)) == found(Host())


def test_another_answer_is_another_model(found):
    """It is noticed once; an answer that comes back is the old model, and found."""
    first, _ = found(Host(1.0))
    second, notices = found(Host(2.0))
    assert second != first
    (notice,) = notices
    assert notice == (
        "toy no longer answers as it did, and none of its files has changed (does it read a "
        "variable or a file?); its reference, graphs and engines were made again"
    )
    assert found(Host(2.0)) == (second, ())
    assert found(Host(1.0)) == (first, ())


def test_answer_decides_without_a_memory(found):
    """Where the cache has forgotten the first answer, another one is another model all the same."""
    assert found(Host(1.0), folder="one")[0] != found(Host(2.0), folder="two")[0]


def test_answer_that_changes_each_time(found):
    """Such a model is reported, and is the same from the run on in which that was seen."""
    found(Host(1.0))
    digest, notices = found(Host(2.0, 3.0))
    (notice,) = notices
    assert notice == (
        "toy answers the same input in another way each time; a change that none of its files "
        "shows cannot be noticed"
    )
    assert found(Host(4.0, 5.0)) == (digest, ())


def test_one_forward_a_run(found):
    """A model is created and asked once, however often its graph is wanted."""
    host = Host()
    found(host)
    assert host.asked == ["model.identity", "model.write_weights", "model.probe"]
    again = Host()
    found(again)
    assert again.asked == ["model.identity", "model.probe"]


def test_weights_that_no_longer_fit_are_made_again(found):
    """A module whose weights have other names or shapes by now gets new weights."""
    first, _ = found(Host(structures=["wide"]))
    host = Host(structures=["wide", "narrow"])
    digest, notices = found(host)
    assert digest != first
    assert len(notices) == 1
    assert notices[0].startswith("toy has weights of other names or shapes than those in the cache")
    assert host.asked.count("model.write_weights") == 1
    assert found(Host(structures=["wide"])) == (first, ())


def test_weights_that_never_fit(found):
    """A module that is another one each time is an error."""
    with pytest.raises(ModelError, match="toy has other weights each time that it is created"):
        found(Host(structures=["a", "b", "c", "d"]))


def test_pruned_is_another_graph(tmp_path):
    """Pruned weights are told from the others, by the same answer."""
    host = Host()
    graphs = ModuleGraphs(InferConfig(), Cache(tmp_path), ModelClient(lambda: host))
    whole, pruned = (graphs.module("resnet50", is_pruned=each) for each in (False, True))
    assert whole.digest != pruned.digest
    assert (whole.request.is_pruned, pruned.request.is_pruned) == (False, True)
    assert host.asked.count("model.probe") == 1


def test_own_code_is_told_by_content():
    """What seeds weights, makes feeds and exports is in the keys, file by file."""
    identity = ModelOperations().identity("resnet50")
    files = {name for name, _ in identity["code"]["files"]}
    own = ("weights", "seeding", "feeds", "photographs", "families/imagenet", "zoo/resnet50")
    assert files >= {f"pytest_infer/models/{name}.py" for name in own}
    assert "pytest_infer/graphs/pruning.py" in files
    assert {"torch", "torchvision", "pillow", "numpy"} <= set(identity["code"]["distributions"])
    assert "scikit-image" in identity["runtime"]
    exporting = {name for name, _ in GraphOperations().runtime()["code"]["files"]}
    parts = ("export", "dynamic_dims", "torch_dtypes", "quantization", "facts")
    assert exporting >= {f"pytest_infer/graphs/{name}.py" for name in parts}
