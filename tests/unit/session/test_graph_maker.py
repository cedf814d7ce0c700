"""What a host leaves for a graph is looked at before it is kept, and when it is read."""

from pathlib import Path

import pytest

from pytest_infer.config import InferConfig
from pytest_infer.errors import CacheError
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.hosts.graph_client import GraphClient
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

    def __init__(self, *names, digest=""):
        self.names = names
        self.digest = digest

    def call(self, operation, /, *, error, doing, folder="", **_arguments):
        """Answer nothing, but the digest of the calibration rows."""
        assert error
        assert doing
        for name in self.names if folder else ():
            (Path(folder) / name).write_text(operation + self.digest)
        return self.digest if operation == "graph.calibration_digest" else None


def exported(cache, host, **wanted):
    """Return the graph of the toy."""
    graphs = Graphs(InferConfig(), cache, GraphClient(lambda: host))
    return graphs.exported(MODULE, GraphRequest("onnx", **wanted), {})


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


def test_rows_to_calibrate_on_lie_beside_it(cache):
    """Other rows make another graph, for an engine that finds scales, and for no other."""
    names = ("graph.onnx", "arrays.npz")
    one, other = (
        exported(cache, Host(*names, digest=digest), has_calibration=True) for digest in "ab"
    )
    assert [Path(each).name for each in one.beside] == ["arrays.npz"]
    assert one.digest != other.digest
    plain = [exported(cache, Host("graph.onnx", digest=digest)) for digest in "ab"]
    assert plain[0] == plain[1]
