"""A folder that holds all of one failure: it fails again from there, in a fresh process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pytest_infer.arrays import Arrays, read_arrays, write_arrays
from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import BuiltEngine
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.hosts.wire import as_type, packed
from pytest_infer.judges.tolerance import Tolerance, tolerance_from_keywords
from pytest_infer.models import registry as models
from pytest_infer.models.source import import_source
from pytest_infer.models.spec import Case, ModelSpec, Source, case_from_dict
from pytest_infer.session.judges import Parity, Reference
from pytest_infer.verdict import Verdict

if TYPE_CHECKING:
    from pytest_infer.models.spec import Precision

FACTS, SOURCES, FEEDS = "bundle.json", "sources", "feeds"
TEST = '''"""{title}

Run in this folder: pytest {name}
"""

from pathlib import Path

import pytest

from pytest_infer.session.bundle import replay


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
    """Where the model and the engine are defined."""


class _Recorded:
    """The artefacts of a bundle, as judges ask for them."""

    def __init__(self, folder: Path, labels: Sequence[str]) -> None:
        self._folder = folder
        self._labels = tuple(labels)

    def reference(self, case: Case, precision: Precision) -> Arrays:
        """Return eager's outputs."""
        del case
        return read_arrays(self._folder / f"reference-{precision}")

    def repeats(self, case: Case) -> Sequence[Arrays]:
        """Return one run of eager: of a model that differs from itself no bundle is written."""
        return [self.reference(case, "fp64")]

    def labels(self, model: str) -> tuple[str, ...]:
        """Return the names of the classes."""
        del model
        return self._labels

    def meaning(self, model: str, outputs: Arrays) -> list[Arrays]:
        """Return what the model's own postprocessing makes of outputs."""
        postprocess = models.find(model).postprocess
        return postprocess(outputs) if postprocess else []


def write_bundle(folder: Path, failure: Failure) -> Path:
    """Write all of a failure into ``folder``, whose former content goes; return the test file."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in (FEEDS, SOURCES):
        (folder / name).mkdir(parents=True)
    graph = shutil.copy(failure.graph.file, folder)
    write_arrays(folder / FEEDS, failure.feeds)
    for precision, outputs in failure.references.items():
        place = folder / f"reference-{precision}"
        place.mkdir()
        write_arrays(place, outputs)
    copies = {source.file: _copied(source, folder / SOURCES) for source in failure.sources}
    title = failure.verdict.message.splitlines()[0]
    facts = {
        "case": failure.case.as_dict(),
        "code": failure.verdict.code,
        "graph": packed(failure.graph.request),
        "spec": packed(failure.graph.spec),
        "file": Path(graph).name,
        "labels": list(failure.labels),
        "tolerance": failure.tolerance.as_dict() if failure.tolerance else {},
        "sources": sorted(name for name in copies.values() if name),
        "environment": dict(failure.environment),
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=1, sort_keys=True))
    (folder / NAME).write_text(TEST.format(title=title, name=NAME))
    (folder / "README.md").write_text(_page(failure, Path(graph).name))
    return folder / NAME


def replay(folder: Path) -> list[Verdict]:
    """Build the bundle's engine in this process, run it, and return the verdicts of parity."""
    facts = json.loads((folder / FACTS).read_text())
    for name in facts["sources"]:
        import_source(Source(file=str(folder / SOURCES / name)))
    case = case_from_dict(facts["case"])
    spec = as_type(facts["spec"], ModelSpec)
    request = as_type(facts["graph"], GraphRequest)
    graph = Graph(spec, str(folder / facts["file"]), digest="bundle", request=request)
    outputs = _outputs(case, graph, read_arrays(folder / FEEDS))
    recorded: Any = _Recorded(folder, facts["labels"])
    tolerance = tolerance_from_keywords(facts["tolerance"]) if facts["tolerance"] else None
    parity = Parity(case, Reference(case, recorded), recorded, tolerance)
    verdicts = [parity(outputs)]
    if spec.task == "classification":
        verdicts.append(parity.top_k(outputs))
    elif spec.task == "detection":
        verdicts.append(parity.detections(outputs))
    return verdicts


def _outputs(case: Case, graph: Graph, feeds: Arrays) -> Arrays:
    engine, request = engines.find(case.engine), engines.build_request(case)
    with TemporaryDirectory() as place:
        if engine.builds_files:
            engine.build(graph, request, Path(place))
        with engine.open(BuiltEngine(case.engine, graph, request, place)) as runner:
            return runner.infer(feeds)


def _copied(source: Source, folder: Path) -> str:
    """Copy a user's own file; return its name, or nothing for what this package has."""
    if not source.file:
        return ""
    name = f"own_{Path(source.file).stem}.py"
    shutil.copy(source.file, folder / name)
    return name


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
    """Return the same comparison for polygraphy and trtexec; they take inputs of their own."""
    flag = {"fp16": " --fp16", "bf16": " --bf16", "int8": " --int8", "tf32": " --tf32"}
    precision = flag.get(case.precision, "")
    shapes = {name: list(values.shape) for name, values in failure.feeds.items()}
    poly = " ".join(f"{name}:{str(shape).replace(' ', '')}" for name, shape in shapes.items())
    trt = ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())
    return (
        f"polygraphy run {graph} --onnxrt --trt{precision} --input-shapes {poly}\n"
        f"trtexec --onnx={graph}{precision} --shapes={trt}"
    )
