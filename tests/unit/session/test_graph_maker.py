"""What a host leaves for a graph is looked at before it is kept, and when it is read."""

from pathlib import Path

import pytest

from pytest_infer.config import InferConfig
from pytest_infer.errors import CacheError
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.hosts.model_client import ModelClient
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec
from pytest_infer.session.graph_maker import Graphs
from pytest_infer.storage.cache import Cache

MODULE = Graph(
    ModelSpec(
        name="toy",
        task="tensor",
        inputs={"image": TensorSpec(("batch", 3))},
        outputs={"scores": TensorSpec(("batch", 2))},
        source=Source(module="toy"),
    ),
    file="weights.safetensors",
    digest="0" * 64,
    request=GraphRequest("module"),
)


class Host:
    """Writes files of these names, whatever is asked for."""

    def __init__(self, *names):
        self.names = names

    def call(self, operation, /, *, error, doing, folder="", **_arguments):
        """Answer nothing."""
        assert error
        assert doing
        for name in self.names if folder else ():
            (Path(folder) / name).write_text(operation)


def exported(cache, host):
    """Return the graph of the toy."""
    graphs = Graphs(InferConfig(), cache, ModelClient(lambda: host))
    return graphs.exported(MODULE, GraphRequest("onnx"), {})


@pytest.fixture
def cache(tmp_path):
    """An empty cache."""
    return Cache(tmp_path / "cache")


def test_one_graph(cache):
    """Files of its weights may lie beside it."""
    graph = exported(cache, Host("graph.onnx", "graph.onnx.data"))
    assert Path(graph.file).name == "graph.onnx"
    assert exported(cache, Host()).file == graph.file  # found, not made


@pytest.mark.parametrize(
    ("names", "count"), [((), 0), (("other.txt",), 0), (("a.onnx", "b.onnx"), 2)]
)
def test_no_graph_is_not_kept(cache, names, count):
    """A host that says that it has written a graph, and has not, leaves nothing in the cache."""
    with pytest.raises(CacheError, match=f"has {count} .onnx files instead of one"):
        exported(cache, Host(*names))
    assert exported(cache, Host("graph.onnx")).file


def test_an_entry_without_a_graph(cache, monkeypatch):
    """One that was kept all the same is an error with its folder."""
    with monkeypatch.context() as patch:
        patch.setattr("pytest_infer.session.graph_maker.checked", lambda make, _suffix="": make)
        patch.setattr("pytest_infer.session.graph_maker.only", lambda *_: "x")
        exported(cache, Host("other.txt"))
    with pytest.raises(CacheError, match="there is other"):
        exported(cache, Host("graph.onnx"))
