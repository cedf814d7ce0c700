"""What an engine host's operations make of an engine's settings."""

from __future__ import annotations

import shutil
import sys
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from itertools import count
from pathlib import Path

import pytest

from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.engines.setting import EngineOption
from pytest_infer.errors import LoadError
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.hosts import build_operations, engine_operations
from pytest_infer.hosts.engine_operations import EngineOperations
from pytest_infer.models.source import Source
from pytest_infer.models.spec import Dim, ModelSpec
from pytest_infer.testing import FakeEngine

SPEC = ModelSpec("toy", "tensor", inputs={}, outputs={}, source=Source(module="toy"))
GRAPH = Graph(SPEC, "", "digest", GraphRequest("module"))


@dataclass(frozen=True)
class CountedEngine:
    """An engine with a setting for building and one for opening, which notes what it built."""

    name: str = "counted"
    libraries: tuple[str, ...] = ()
    built: list[BuildRequest] = field(default_factory=list)
    options = {  # noqa: RUF012 - a class attribute of a double
        "level": EngineOption(1, "decides what is built"),
        "threads": EngineOption(0, "decides how it is opened", affects_build=False),
    }

    def build(self, graph, request, folder):
        """Write a file."""
        del graph
        self.built.append(request)
        (folder / "engine").write_text("built")
        return {}


@pytest.fixture
def build(monkeypatch, tmp_path):
    """Build with settings; return the folder, and all requests that were built so far."""
    engine = CountedEngine()
    adapter = tmp_path / "adapter.py"
    adapter.write_text("one")
    monkeypatch.setattr(engines, "find", lambda _: engine)
    monkeypatch.setattr(engines, "source", lambda _: Source(file=str(adapter)))

    def call(graph=GRAPH, **options):
        request = BuildRequest("fp32", "cpu", {}, options)
        folder = (
            EngineOperations()
            .build("counted", asdict(graph), asdict(request), cache=str(tmp_path / "cache"))
            .folder
        )
        return folder, engine.built

    return call


def test_setting_for_opening_builds_nothing_anew(build):
    """The same files are opened with other threads."""
    first, _ = build(level=1, threads=1)
    second, built = build(level=1, threads=2)
    assert first == second
    assert len(built) == 1


def test_setting_for_building_builds_anew(build):
    """Another level is another built engine, beside the first."""
    first, _ = build(level=1, threads=1)
    second, built = build(level=2, threads=1)
    assert first != second
    assert [request.options["level"] for request in built] == [1, 2]


def test_other_bounds_build_anew(build):
    """A profile is made of the bounds of the spec's dimensions, which are in no graph."""
    first, _ = build()
    wider = replace(GRAPH, spec=replace(GRAPH.spec, dims={"batch": Dim(max=128)}))
    second, built = build(wider)
    assert first != second
    assert len(built) == 2


def test_edited_adapter_builds_anew(build, tmp_path):
    """An engine's key holds what its adapter's file says, and the same text finds it again."""
    first, _ = build()
    (tmp_path / "adapter.py").write_text("another")
    second, built = build()
    (tmp_path / "adapter.py").write_text("one")
    again, _ = build()
    assert first == again != second
    assert len(built) == 2


def test_wrapped_adapter_is_in_the_key(monkeypatch, tmp_path):
    """An engine that runs another one is as old as the other's adapter."""
    files = {name: tmp_path / f"{name}.py" for name in ("wrapper", "plain")}
    for name, file in files.items():
        file.write_text(name)
    wrapper = FakeEngine("wrapper", inner="plain")
    monkeypatch.setattr(engines, "find", {"wrapper": wrapper, "plain": CountedEngine()}.get)
    monkeypatch.setattr(engines, "source", lambda name: Source(file=str(files[name])))
    names = [name for name, _ in EngineOperations().adapter("wrapper")]
    assert names == ["plain.py", "wrapper.py"]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda folder: (folder / "engine").write_text("other"), "engine in * is not the file *"),
        (lambda folder: (folder / "manifest.json").unlink(), "* has no manifest"),
        (shutil.rmtree, "* has gone"),
    ],
)
def test_what_was_damaged_since_is_not_opened(build, damage, why):
    """The library never sees it."""
    folder, _ = build()
    damage(Path(folder))
    built = BuiltEngine("counted", GRAPH, BuildRequest("fp32", "cpu", {}, {}), folder)
    with pytest.raises(LoadError) as caught:
        EngineOperations().open(asdict(built))
    assert str(caught.value).startswith("cannot open counted's engine of ")
    assert fnmatch(caught.value.why, why)


@dataclass(frozen=True)
class ImportingEngine(FakeEngine):
    """An engine that imports modules when it is opened."""

    modules: tuple[str, ...] = ()


@pytest.fixture
def importing(monkeypatch):
    """Return the operations of a host whose engine imports modules."""

    def call(*modules):
        engine = ImportingEngine("importing", "none", modules=modules)
        monkeypatch.setattr(engines, "find", lambda _: engine)
        return EngineOperations()

    return call


def test_libraries_are_imported_ahead(importing, tmp_path, monkeypatch):
    """All of them; what fails is told, and is no error before the engine is opened."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    (tmp_path / "a_fine_library.py").write_text("")
    (tmp_path / "a_broken_library.py").write_text("raise OSError")
    names = ("a_broken_library", "no_such_library", "a_fine_library")
    assert importing(*names).import_libraries("importing") == list(names[:2])
    assert "a_fine_library" in sys.modules


def test_an_engine_without_modules(monkeypatch):
    """There is nothing to import."""
    monkeypatch.setattr(engines, "find", lambda _: CountedEngine())
    assert EngineOperations().import_libraries("counted") == []


def test_the_import_counts_as_loading_once(importing, monkeypatch):
    """It belongs to the first engine that is opened, whenever it was imported."""
    operations = importing()
    clock = count(step=10)
    monkeypatch.setattr(build_operations, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(engine_operations, "perf_counter", lambda: 0)
    monkeypatch.setattr(ImportingEngine, "open", lambda *_: nullcontext())
    operations.import_libraries("importing")
    opened = asdict(BuiltEngine("importing", GRAPH, BuildRequest("fp32", "cpu", {}, {}), folder=""))
    loads = [operations._opened[operations.open(opened)].load_s for _ in range(2)]
    assert loads == [20, 10]
