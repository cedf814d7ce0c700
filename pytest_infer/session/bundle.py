"""A folder that holds all of one failure: it fails again from there, in a fresh process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_infer.arrays import Arrays, write_arrays
from pytest_infer.case import Case
from pytest_infer.graphs.graph import Graph
from pytest_infer.hosts.wire import packed
from pytest_infer.judges.tolerance import Tolerance
from pytest_infer.models.source import Source
from pytest_infer.verdict import Verdict

FACTS, SOURCES, FEEDS = "bundle.json", "sources", "feeds"
TEST = '''"""{title}

Run in this folder: pytest {name}
"""

from pathlib import Path

import pytest

from pytest_infer.testing import replay


def test_bundle():
    """The engine, built from this folder's graph, passes every judge that failed it."""
    failures = [each.message for each in replay(Path(__file__).parent) if each.status == "fail"]
    if failures:
        pytest.fail("\\n".join(failures), pytrace=False)
'''
NAME = "test_bundle.py"


@dataclass(frozen=True)
class Failure:
    """What a bundle is made of."""

    case: Case
    graph: Graph
    feeds: Arrays
    references: Mapping[str, Arrays]
    """Eager's outputs by precision: fp64 and the case's own."""
    labels: Sequence[str]
    tolerance: Tolerance | None
    environment: Mapping[str, Any]
    verdict: Verdict
    layers: str
    """What is known of the layer that diverges."""
    sources: Sequence[Source]
    """Where tasks, the model and the engine are defined, in the order to import them in."""
    has: Sequence[str] = ()
    """Which functions surround the model, as far as its spec was read from its source."""


def write_bundle(folder: Path, failure: Failure) -> Path:
    """Write all of a failure into ``folder``, whose former content goes; return the test file."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in (FEEDS, SOURCES):
        (folder / name).mkdir(parents=True)
    graph = _copied_graph(failure.graph, folder)
    write_arrays(folder / FEEDS, failure.feeds)
    for precision, outputs in failure.references.items():
        place = folder / f"reference-{precision}"
        place.mkdir()
        write_arrays(place, outputs)
    code = [source for source in failure.sources if not source.text]
    named = [source for source in failure.sources if source.text]
    title = failure.verdict.message.splitlines()[0]
    facts = {
        "case": failure.case.as_dict(),
        "code": failure.verdict.code,
        "graph": packed(failure.graph.request),
        "spec": packed(failure.graph.spec),
        "file": graph.name,
        "beside": _beside(failure.graph),
        "labels": list(failure.labels),
        "tolerance": failure.tolerance.as_dict() if failure.tolerance else {},
        "sources": _copied(code, folder / SOURCES),
        "named": [packed(_moved(source, folder / SOURCES)) for source in named],
        "has": list(failure.has),
        "environment": dict(failure.environment),
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=1, sort_keys=True))
    (folder / NAME).write_text(TEST.format(title=title, name=NAME))
    (folder / "README.md").write_text(_page(failure, graph.name))
    return folder / NAME


def _copied_graph(graph: Graph, folder: Path) -> Path:
    """Copy a graph and the weights beside it, where it looks for them."""
    for file, name in zip(graph.beside, _beside(graph), strict=True):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    return Path(shutil.copy(graph.file, folder))


def _beside(graph: Graph) -> list[str]:
    """Return where the files beside a graph are, seen from its folder."""
    home = Path(graph.file).parent
    return [str(Path(file).relative_to(home)) for file in graph.beside]


def _copied(sources: Sequence[Source], folder: Path) -> list[str]:
    """Copy a user's own files, and not what this package has; return their names, in order."""
    names: list[str] = []
    for file in dict.fromkeys(source.file for source in sources if source.file):
        name = f"own_{Path(file).stem}.py"
        if name in names:
            name = f"own_{len(names)}_{Path(file).stem}.py"
        shutil.copy(file, folder / name)
        names.append(name)
    return names


def _moved(source: Source, folder: Path) -> Source:
    """Copy the file of a model that is one; return its source with the copy's name."""
    if not source.file:
        return source
    shutil.copy(source.file, folder)
    return replace(source, file=Path(source.file).name)


def _page(failure: Failure, graph: str) -> str:
    case = failure.case
    lines = [
        f"# {case.id}",
        f"```text\n{failure.verdict.message}\n```",
        f"```text\n{failure.layers}\n```",
        f"Fails again, in this folder: `pytest {NAME}`",
        f"Environment: `{json.dumps(dict(failure.environment), sort_keys=True)}`",
    ]
    if failure.graph.request.format == "onnx":
        lines += ["Without this package:", f"```console\n{_commands(case, failure, graph)}\n```"]
    return "\n\n".join(lines) + "\n"


def _commands(case: Case, failure: Failure, graph: str) -> str:
    """Return the same comparison for polygraphy and trtexec; they make their own inputs."""
    flag = {"fp16": " --fp16", "bf16": " --bf16", "int8": " --int8", "tf32": " --tf32"}
    precision = flag.get(case.precision, "")
    shapes = {name: list(values.shape) for name, values in failure.feeds.items()}
    poly = " ".join(f"{name}:{str(shape).replace(' ', '')}" for name, shape in shapes.items())
    trt = ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())
    return (
        f"polygraphy run {graph} --onnxrt --trt{precision} --input-shapes {poly}\n"
        f"trtexec --onnx={graph}{precision} --shapes={trt}"
    )
