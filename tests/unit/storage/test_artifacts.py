"""A folder of graphs and engines: readable names, one copy of each graph, and a list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_infer.errors import OptionError
from pytest_infer.storage.artifacts import (
    Artifact,
    keep_case,
    keep_graph,
    read_list,
    safe_name,
    write_list,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a graph, weights beside it, and an engine's files."""
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    for name in ("graph.onnx", "weights.bin", "model.xml", "sub/model.bin"):
        (folder / name).write_text(name)
    return folder


def test_names() -> None:
    """Ids are names as they are; what a path could be made of, or too long, has a digest."""
    assert safe_name("resnet50-ort-fp32-b1+threads=2") == "resnet50-ort-fp32-b1+threads=2"
    for hostile in ("../../etc/passwd", "a/b", "a\x1b[31m", "..", "x" * 500, "a b", "\ud800"):
        name = safe_name(hostile)
        assert "/" not in name
        assert name not in {"", ".", ".."}
        assert len(name) < 140
        assert name.isascii()
    assert safe_name("a/b") != safe_name("a:b")


def test_kept_and_listed(source: Path, tmp_path: Path) -> None:
    """A graph comes with its weights, an engine with its folders, and the list has both."""
    root = tmp_path / "kept"
    graph = keep_graph(root, "net-fp32-12", source / "graph.onnx", ["weights.bin"])
    files = {"model.xml": source / "model.xml", "sub/model.bin": source / "sub/model.bin"}
    keep_case(root, Artifact("net-ort-fp32-b1", graph, content="1"), files)
    keep_case(root, Artifact("net-eager-fp32-b1", note="it builds no files"), {})
    assert write_list(root) == 2
    found = read_list(root)
    assert found["net-eager-fp32-b1"].note == "it builds no files"
    own = found["net-ort-fp32-b1"]
    assert own.graph == "graphs/net-fp32-12/graph.onnx"
    assert (root / own.graph).with_name("weights.bin").read_text() == "weights.bin"
    assert [(root / name).read_text() for name in own.engine] == ["model.xml", "sub/model.bin"]
    assert not list(root.rglob(".*"))


def test_an_engine_that_changed_is_kept_anew(source: Path, tmp_path: Path) -> None:
    """Its files are replaced; the same content is not copied again."""
    root = tmp_path / "kept"
    case = Artifact("net-ort-fp32-b1", content="1")
    (kept,) = keep_case(root, case, {"model.xml": source / "model.xml"}).engine
    (root / kept).write_text("mine")
    keep_case(root, case, {"model.xml": source / "model.xml"})
    assert (root / kept).read_text() == "mine"
    other = Artifact("net-ort-fp32-b1", content="2")
    keep_case(root, other, {"graph.onnx": source / "graph.onnx"})
    assert not (root / kept).exists()
    assert (root / kept).with_name("graph.onnx").is_file()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Input data was truncated"),
        ("{}", "missing required field"),
        ('{"schema": 9, "artifacts": []}', "its schema is 9"),
        (
            '{"schema": 1, "artifacts": [{"case_id": "x", "graph": "../secret.onnx"}]}',
            "../secret.onnx is outside the folder",
        ),
        (
            json.dumps({"schema": 1, "artifacts": [{"case_id": "x", "engine": ["/etc/passwd"]}]}),
            "/etc/passwd is outside the folder",
        ),
    ],
)
def test_a_list_that_cannot_be_used(tmp_path: Path, text: str, why: str) -> None:
    """It is an error with its reason; no path leads out of the folder."""
    (tmp_path / "artifacts.json").write_text(text)
    with pytest.raises(OptionError) as caught:
        read_list(tmp_path)
    assert why in caught.value.why


def test_a_folder_without_a_list(tmp_path: Path) -> None:
    """The mend names the option."""
    with pytest.raises(OptionError) as caught:
        read_list(tmp_path)
    assert "--infer-artifacts=DIR" in caught.value.mend
