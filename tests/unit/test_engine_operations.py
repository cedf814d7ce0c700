"""What an engine host's operations make of an engine's settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import pytest

from pytest_infer import engines
from pytest_infer.engine import BuildRequest, Graph, GraphRequest
from pytest_infer.engine_option import EngineOption
from pytest_infer.hosts.engine_operations import EngineOperations
from pytest_infer.spec import ModelSpec, Source

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
    monkeypatch.setattr(engines, "find", lambda _: engine)

    def call(**options):
        request = BuildRequest("fp32", "cpu", {}, options)
        folder = EngineOperations().build(
            "counted", asdict(GRAPH), asdict(request), cache=str(tmp_path)
        )["folder"]
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
