"""Run a bundle again: the folder of one failure, without the project that it came from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pytest_infer.arrays import Arrays, read_arrays
from pytest_infer.case import Case, case_from_dict
from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import BuiltEngine
from pytest_infer.engines.requests import build_request
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.hosts.wire import as_type
from pytest_infer.judges.tolerance import tolerance_from_keywords
from pytest_infer.models import registry as models
from pytest_infer.models.draft import Reading
from pytest_infer.models.model_from import register_source
from pytest_infer.models.source import Source, import_source
from pytest_infer.models.spec import ModelSpec
from pytest_infer.models.tasks import TENSOR
from pytest_infer.session.bundle import FACTS, FEEDS, SOURCES
from pytest_infer.session.parity import Parity
from pytest_infer.session.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.case import Precision
    from pytest_infer.verdict import Verdict


class _Recorded:
    """The references and names of a bundle, as judges ask for them."""

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


def replay(folder: Path) -> list[Verdict]:
    """Build the bundle's engine in this process, run it, and return the verdicts of parity."""
    facts = json.loads((folder / FACTS).read_text())
    for name in facts["sources"]:
        import_source(Source(file=str(folder / SOURCES / name)))
    for each in facts["named"]:
        source = as_type(each, Source)
        file = str(folder / SOURCES / source.file) if source.file else ""
        register_source(replace(source, file=file))
    case = case_from_dict(facts["case"])
    spec = as_type(facts["spec"], ModelSpec)
    if models.unread(spec.name):
        models.settle(Reading(spec, tuple(facts["has"])))
    request = as_type(facts["graph"], GraphRequest)
    beside = tuple(str(folder / name) for name in facts["beside"])
    graph = Graph(spec, str(folder / facts["file"]), "bundle", request, beside)
    outputs = _outputs(case, graph, read_arrays(folder / FEEDS))
    recorded: Any = _Recorded(folder, facts["labels"])
    tolerance = tolerance_from_keywords(facts["tolerance"]) if facts["tolerance"] else None
    parity = Parity(case, Reference(case, recorded), recorded, tolerance)
    verdicts = [parity(outputs)]
    if spec.task != TENSOR:
        verdicts.append(parity.task(outputs))
    return verdicts


def _outputs(case: Case, graph: Graph, feeds: Arrays) -> Arrays:
    engine, request = engines.find(case.engine), build_request(case)
    with TemporaryDirectory() as place:
        if engine.builds_files:
            engine.build(graph, request, Path(place))
        with engine.open(BuiltEngine(case.engine, graph, request, place)) as runner:
            return runner.infer(feeds)
