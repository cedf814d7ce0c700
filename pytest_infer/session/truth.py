"""The fixture `truth`: the judge of what really ran."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from pytest_infer.engines.requests import build_request
from pytest_infer.graphs.export import signature_of
from pytest_infer.judges.truth import judge_graph, judge_placement, judge_precision, judge_settings
from pytest_infer.models import registry as models

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.case import Case
    from pytest_infer.engines.protocol import Evidence
    from pytest_infer.judges.tolerance import Tolerance
    from pytest_infer.session.case_graphs import CaseGraphs
    from pytest_infer.verdict import Verdict

    Explain = Callable[[Verdict, Case, Tolerance | None, int], Verdict]

EVIDENCE = "evidence"
"""The detail of a verdict that holds what the engine showed of itself."""


class Truth:
    """Judges what really ran, and what a case's engine was really built from."""

    def __init__(
        self,
        case: Case,
        graphs: CaseGraphs,
        drawn: Callable[[Verdict, Evidence], Verdict] = lambda verdict, _: verdict,
    ) -> None:
        """Take ``drawn``, which adds a picture of the graph and of what ran to a verdict."""
        self._case = case
        self._graphs = graphs
        self._drawn = drawn

    def precision(self, evidence: Evidence) -> Verdict:
        """Judge the arithmetic that ran."""
        spec = models.find(self._case.model).spec
        verdict = judge_precision(
            evidence,
            self._case.precision,
            has_fractions=spec.has_fractions,
            subject=self._case.id,
        )
        verdict = replace(verdict, details={**verdict.details, EVIDENCE: asdict(evidence)})
        return self._drawn(verdict, evidence)

    def placement(self, evidence: Evidence) -> Verdict:
        """Judge the device on which it ran."""
        return judge_placement(evidence, self._case.device, subject=self._case.id)

    def settings(self, evidence: Evidence) -> Verdict:
        """Judge whether the engine's settings are in force."""
        settings = build_request(self._case).options
        return judge_settings(evidence, settings, subject=self._case.id)

    def graph(self) -> Verdict:
        """Judge the exported file that the engine was built from, as it lies on the disk."""
        graph = self._graphs.of(self._case)
        shapes = build_request(self._case).shapes
        return judge_graph(
            self._graphs.facts(graph),
            self._graphs.request(self._case),
            signature_of(graph.spec, graph.request, shapes),
            subject=self._case.id,
        )
