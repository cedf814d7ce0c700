"""A case's model in pytest's process: loaded once, and the one that hosts have."""

from types import SimpleNamespace

import pytest

from pytest_infer.errors import ModelError
from pytest_infer.graphs import module as modules
from pytest_infer.hosts import probe
from pytest_infer.models import registry as models
from pytest_infer.session.model import LoadedModel
from pytest_infer.testing import contract_model  # noqa: F401 - registers the model

torch = pytest.importorskip("torch")

NAME = "contract_cnn"


class Uncopied(torch.nn.ReLU):
    """A module that has no copy."""

    def __deepcopy__(self, memo):
        """Refuse."""
        raise RuntimeError


@pytest.fixture
def loading(monkeypatch):
    """Load a model whose module, and whose answer in the hosts, are given; count the loads."""
    loads, probed = [], []

    def answer(graph, module=None):
        assert graph == "graph"
        probed.append(module)
        return {"y": torch.ones(2).numpy()}

    def make(module, expected):
        def own_module(graph):
            loads.append(graph)
            return module

        monkeypatch.setattr(modules, "own_module", own_module)
        monkeypatch.setattr(probe, "answer", answer)
        graphs = SimpleNamespace(
            module=lambda _: "graph",
            modules=SimpleNamespace(answers={} if expected is None else {NAME: expected}),
        )
        return LoadedModel(NAME, None, graphs), loads, probed

    return make


def test_loaded_once(loading):
    """What is probed is a copy: the test gets a module that nobody has converted or called."""
    module = torch.nn.Linear(2, 2)
    loaded, loads, (*_,) = loading(module, {"y": torch.ones(2).numpy()})
    assert loaded.module is loaded.module is module
    assert loads == ["graph"]
    assert loaded.spec is models.find(NAME).spec


@pytest.mark.parametrize(("module", "is_copied"), [(torch.nn.ReLU(), True), (Uncopied(), False)])
def test_what_is_probed(loading, module, is_copied):
    """A copy; of a module that has none, the probe loads another."""
    loaded, _, probed = loading(module, {"y": torch.ones(2).numpy()})
    assert loaded.module is module
    (copy,) = probed
    assert copy is not module
    assert (copy is not None) is is_copied


def test_another_model_here(loading):
    """It is refused; a model that answers in another way each time is not asked."""
    loaded, _, _ = loading(torch.nn.ReLU(), {"y": torch.zeros(2).numpy()})
    with pytest.raises(ModelError, match="contract_cnn is another model in this process"):
        _ = loaded.module
    loaded, _, probed = loading(torch.nn.ReLU(), None)
    asked = len(probed)
    assert loaded.module is not None
    assert len(probed) == asked
