"""``pytest-infer open``: what it shows, and what it says where it cannot."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.__main__ import main
from pytest_infer.storage.artifacts import Artifact, keep_case, keep_graph, write_list

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the command runs; its ``artifacts`` hold three cases."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("graph.onnx", "optimized.onnx", "engine.plan"):
        (tmp_path / name).write_text(name)
    root = tmp_path / "artifacts"
    graph = keep_graph(root, "net-fp32", tmp_path / "graph.onnx", ())
    for engine, file in (("ort", "optimized.onnx"), ("trt", "engine.plan")):
        keep_case(root, Artifact(f"net-{engine}-fp32-b1", graph), {file: tmp_path / file})
    keep_case(root, Artifact("net-eager-fp32-b1", note="it builds no files"), {})
    write_list(root)
    return tmp_path


@pytest.fixture
def netron(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Calls of a netron that shows nothing."""
    calls: list[Any] = []
    module = ModuleType("netron")
    module.__spec__ = ModuleSpec("netron", None)
    module.start = lambda file, address=None, browse=True: calls.append((file, address, browse))
    module.wait = lambda: calls.append("wait")
    monkeypatch.setitem(sys.modules, "netron", module)
    return calls


def test_the_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a case it says what there is."""
    del folder
    assert main(["open"]) == 0
    assert capsys.readouterr().out == (
        "net-eager-fp32-b1: it builds no files\n"
        "net-ort-fp32-b1: graphs/net-fp32/graph.onnx\n"
        "net-trt-fp32-b1: graphs/net-fp32/graph.onnx\n"
    )


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ([], ("graphs/net-fp32/graph.onnx", None, True)),
        (["--engine"], ("cases/net-ort-fp32-b1/engine/optimized.onnx", None, True)),
        (
            ["--port", "81", "--no-browser"],
            ("graphs/net-fp32/graph.onnx", ("localhost", 81), False),
        ),
    ],
)
def test_shown(
    folder: Path,
    netron: list[Any],
    arguments: list[str],
    call: tuple[str, Any, bool],
) -> None:
    """Netron serves the graph, or the engine, until it is interrupted."""
    del folder
    assert main(["open", "net-ort-fp32-b1", *arguments]) == 0
    file, *rest = call
    assert netron == [(f"artifacts/{file}", *rest), "wait"]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["net-ort-fp32-b2"], ("valid choices: net-eager", "did you mean 'net-ort-fp32-b1'?")),
        (["net-eager-fp32-b1"], ("no such file of it is kept", "choose a case of an engine")),
        (["net-trt-fp32-b1", "--engine"], ("netron does not read engine.plan", "leave out")),
        (["x", "--infer-artifacts", "none"], ("FileNotFoundError", "--infer-artifacts=DIR")),
    ],
)
def test_nothing_to_show(
    folder: Path,
    netron: list[Any],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    parts: tuple[str, str],
) -> None:
    """It is an error with why and mend."""
    del folder
    assert main(["open", *arguments]) == 2
    text = capsys.readouterr().err
    assert all(part in text for part in parts)
    assert netron == []


def test_without_netron(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The mend is what to install."""
    del folder
    monkeypatch.setattr("pytest_infer.commands.artifacts.find_spec", lambda _: None)
    assert main(["open", "net-ort-fp32-b1"]) == 2
    assert capsys.readouterr().err == (
        "cannot show artifacts/graphs/net-fp32/graph.onnx\n"
        "  why:  netron is not installed\n"
        "  mend: pip install 'pytest-infer[netron]', or open the file in another viewer\n"
    )
