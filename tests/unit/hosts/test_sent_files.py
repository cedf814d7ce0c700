"""What a host elsewhere is asked for, with the caller's files in the place that it has for them."""

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.errors import CacheError, HostError, RunError
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

    def __init__(self, cache, machine="jetson-1f2e3d4c", beside=""):
        self.place = Place(machine, (), str(cache), sees_files=False)
        self.asked, self.got = [], {}
        self._sent = [f"send {name} to {machine}" for name in ("graph.onnx", beside)]
        self._files = FileOperations()

    def call(self, operation, /, *, error, doing, **arguments):
        """Answer what concerns files; remember the rest."""
        group, _, name = operation.partition(".")
        self.asked.append(operation)
        if group == "files":
            assert error is HostError
            assert doing in self._sent
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


def test_weights_beside_a_graph(sent, graph, tmp_path):
    """They are sent too, once, and lie there as they do here: no links, which onnx refuses."""
    (tmp_path / "parts").mkdir()
    weights = tmp_path / "parts" / "w.bin"
    weights.write_bytes(b"weights")
    host = Elsewhere(tmp_path / "there", beside="w.bin")
    for _ in range(2):
        ask(host, sent, graph=replace(graph, beside=(str(weights),)))
        (there,) = map(Path, host.got["graph"].beside)
        assert there == Path(host.got["graph"].file).parent / "parts" / "w.bin"
        assert there.read_bytes() == b"weights"
        assert Path(host.got["graph"].file).read_bytes() == b"0123456789"
        assert there.stat().st_nlink == 1
    assert host.asked.count("files.begin") == 2
    assert host.asked.count("files.together") == 1


def test_weights_that_are_gone_there(tmp_path):
    """What was sent and is damaged before it is put together is an error, and no other file."""
    files = FileOperations()
    with pytest.raises(CacheError) as caught:
        files.together(str(tmp_path / "there"), {"w.bin": "0" * 64})
    assert str(caught.value) == (
        "cannot find w.bin\n"
        f"  why:  it was sent to {tmp_path}/there, and is gone or damaged there\n"
        "  mend: run again: it is sent again then"
    )
