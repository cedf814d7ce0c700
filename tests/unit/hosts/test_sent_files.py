"""What a host elsewhere is asked for, with the caller's files in the place that it has for them."""

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.errors import HostError, RunError
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.hosts import sent_files
from pytest_infer.hosts.file_operations import FileOperations
from pytest_infer.hosts.place import Place
from pytest_infer.hosts.sent_files import SendingHost, SentFiles
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec


class Elsewhere:
    """A host with a separate folder, which writes down what it is asked."""

    is_alive = True

    def __init__(self, cache, machine="jetson-1f2e3d4c"):
        self.place = Place(machine, (), str(cache), sees_files=False)
        self.asked, self.got = [], {}
        self._files = FileOperations()

    def call(self, operation, /, *, error, doing, **arguments):
        """Answer what concerns files; remember the rest."""
        group, _, name = operation.partition(".")
        self.asked.append(operation)
        if group == "files":
            assert error is HostError
            assert doing == "send graph.onnx to jetson-1f2e3d4c"
            return getattr(self._files, name)(**arguments)
        self.got = arguments
        return "answer"


@pytest.fixture
def graph(tmp_path):
    """A graph of 10 bytes."""
    file = tmp_path / "graph.onnx"
    file.write_bytes(b"0123456789")
    spec = ModelSpec("toy", "tensor", {}, {}, Source(module="toys"))
    return Graph(spec, str(file), "digest of the model", GraphRequest("onnx"))


@pytest.fixture
def sent(tmp_path):
    """What one run has sent."""
    (tmp_path / "here").mkdir()
    return SentFiles(tmp_path / "here")


def ask(host, sent, **arguments):
    """Ask a host that gets the files in the arguments."""
    return SendingHost(host, sent).call("engine.any", error=RunError, doing="ask", **arguments)


def test_each_kind_of_value(sent, graph, tmp_path):
    """Graphs, those inside built engines, and users' own sources change; nothing else does."""
    host = Elsewhere(tmp_path / "there")
    built = BuiltEngine("ort", graph, BuildRequest("fp32", "cpu", {}), "/folder/there")
    own, module = Source(file=graph.file), Source(module="toys")
    assert ask(host, sent, graph=graph, built=built, sources=[own, module], name="x") == "answer"
    file = host.got["graph"].file
    assert Path(file).read_bytes() == b"0123456789"
    assert file.startswith(f"{tmp_path}/there/files/")
    assert host.got["built"].graph.file == file
    assert host.got["built"].folder == "/folder/there"
    assert host.got["sources"] == [Source(file=file), module]
    assert host.got["name"] == "x"
    assert host.got["graph"].digest == graph.digest


def test_chunks(sent, graph, tmp_path, monkeypatch):
    """A file goes in chunks, each of which waits for the one before."""
    monkeypatch.setattr(sent_files, "CHUNK_BYTES", 4)
    host = Elsewhere(tmp_path / "there")
    ask(host, sent, graph=graph)
    add = ["files.add"] * 3
    assert host.asked == ["files.find", "files.begin", *add, "files.finish", "engine.any"]
    assert sent.bytes == {"jetson-1f2e3d4c": 10}


def test_once_per_machine(sent, graph, tmp_path):
    """A second host of the same machine is not even asked."""
    first, second = (Elsewhere(tmp_path / "there") for _ in range(2))
    ask(first, sent, graph=graph)
    ask(second, sent, graph=graph)
    assert second.asked == ["engine.any"]
    assert second.got["graph"].file == first.got["graph"].file


def test_each_machine(sent, graph, tmp_path):
    """What one machine has, another has not."""
    ask(Elsewhere(tmp_path / "there"), sent, graph=graph)
    host = Elsewhere(tmp_path / "other")
    ask(host, sent, graph=graph)
    assert host.got["graph"].file.startswith(f"{tmp_path}/other/")


def test_found_by_another_run(sent, graph, tmp_path):
    """What an earlier run has sent is found, and no byte goes."""
    ask(Elsewhere(tmp_path / "there"), sent, graph=graph)
    later = SentFiles(tmp_path / "here")
    host = Elsewhere(tmp_path / "there")
    ask(host, later, graph=graph)
    assert host.asked == ["files.find", "engine.any"]
    assert later.bytes == {"jetson-1f2e3d4c": 0}


def test_weights_beside_a_graph_are_not_sent(graph, tmp_path):
    """A graph whose weights lie in other files is refused, with a way out."""
    host = Elsewhere(tmp_path / "there")
    sending = SendingHost(host, SentFiles(tmp_path))
    with pytest.raises(HostError) as caught:
        sending.call(
            "engine.build", error=RunError, doing="build", graph=replace(graph, beside=("w.bin",))
        )
    assert caught.value.why == "weights lie beside it, in w.bin, and only it is sent"
    assert host.asked == []
