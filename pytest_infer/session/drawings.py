"""Pictures of graphs: what each case's engine made of the file that it was built from."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import InferError
from pytest_infer.graphs.drawing import drawing_of
from pytest_infer.models import registry as models
from pytest_infer.session.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_infer.case import Case
    from pytest_infer.engines.protocol import Evidence
    from pytest_infer.graphs.graph_nodes import GraphNode
    from pytest_infer.graphs.ran_layer import RanLayer
    from pytest_infer.session.artefacts import Artefacts
    from pytest_infer.verdict import Verdict

DETAIL = "drawing"
"""The name in a verdict's details."""


class Drawings:
    """Adds to verdicts the picture of a case's graph."""

    def __init__(self, artefacts: Artefacts) -> None:
        self._artefacts = artefacts
        self._kept = Kept()

    def added(
        self,
        verdict: Verdict,
        case: Case,
        evidence: Evidence,
        layers: Callable[[], Sequence[RanLayer]],
    ) -> Verdict:
        """Return the verdict with ``drawing`` in its details; it stands whatever becomes of it.

        An engine that is built from the module itself has no graph, and no picture.
        """
        try:
            found = self._drawn(case, evidence, layers)
        except InferError as error:
            found = {"note": f"{error.what}: {error.why}"}
        return replace(verdict, details={**verdict.details, DETAIL: found}) if found else verdict

    def modules(self, case: Case) -> dict[str, str]:
        """Return the module of each node, by its name and by those of its outputs."""
        if self._artefacts.graphs.request(case).format != "onnx":
            return {}
        nodes = self._nodes(case)
        return {name: ".".join(node.path) for node in nodes for name in (*node.outputs, node.name)}

    def _drawn(
        self, case: Case, evidence: Evidence, layers: Callable[[], Sequence[RanLayer]]
    ) -> dict[str, Any]:
        if self._artefacts.graphs.request(case).format != "onnx":
            return {}
        nodes = self._nodes(case)
        return asdict(drawing_of(nodes, layers(), f"{evidence.precision} on {evidence.device}"))

    def _nodes(self, case: Case) -> list[GraphNode]:
        graphs = self._artefacts.graphs
        wanted = graphs.request(case)
        spec = models.find(case.model).spec
        is_quantized = wanted.precision == "int8" and not (spec.onnx and spec.onnx.precision)
        file = graphs.of(case).file
        like = graphs.exact(case).file if is_quantized else ""
        return self._kept.once(
            ("nodes", file),
            lambda: self._artefacts.files.nodes(file=file, like=like, doing=f"look into {file}"),
        )
