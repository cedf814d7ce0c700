"""The judges as a test gets them: bound to its case, its reference and its marks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer import metamorphic, models
from pytest_infer.detections import detection_noise, judge_detections
from pytest_infer.export import signature_of
from pytest_infer.latency import judge_budget
from pytest_infer.matching import in_order
from pytest_infer.outputs import malformed, not_finite
from pytest_infer.parity import judge_outputs, noise_floor
from pytest_infer.repeatability import CODE as NOT_DETERMINISTIC
from pytest_infer.repeatability import judge_repeats
from pytest_infer.top_k import judge_top_k
from pytest_infer.truth import judge_graph, judge_placement, judge_precision, judge_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.artefacts import Artefacts
    from pytest_infer.engine import Arrays, Evidence
    from pytest_infer.latency import Budget, StoredMedian
    from pytest_infer.metamorphic import Relation
    from pytest_infer.samples import Samples
    from pytest_infer.spec import Case
    from pytest_infer.tolerance import Tolerance
    from pytest_infer.verdict import Verdict

    Explain = Callable[[Verdict, Case, Tolerance | None], Verdict]


_NOT_OF_VALUES = (
    "vacuous", "not-finite", "missing-output", "extra-output", "wrong-shape", "wrong-dtype"
)  # fmt: skip
"""Codes of failures that a model which differs from itself does not explain."""


class Reference:
    """Eager mode's outputs for a case's inputs."""

    def __init__(self, case: Case, artefacts: Artefacts) -> None:
        self._case = case
        self._artefacts = artefacts

    @cached_property
    def fp64(self) -> Arrays:
        """Return the outputs in fp64, which stand for the truth."""
        return self._artefacts.reference(self._case, "fp64")

    @cached_property
    def fp32(self) -> Arrays:
        """Return the outputs in fp32 with TF32 off."""
        return self._artefacts.reference(self._case, "fp32")

    @cached_property
    def eager(self) -> Arrays:
        """Return the outputs at the case's own precision, the noise floor; int8 is simulated."""
        return self._artefacts.reference(self._case, self._case.precision)

    def blamed(self, verdict: Verdict) -> Verdict:
        """Return a failed verdict, or that of the model if eager differs from itself."""
        if verdict.status != "fail" or verdict.code in _NOT_OF_VALUES:
            return verdict
        runs = self._artefacts.repeats(self._case)
        return judge_repeats(runs, subject=self._case.id) or verdict


class Parity:
    """Judges outputs of a case against its reference."""

    def __init__(
        self,
        case: Case,
        reference: Reference,
        artefacts: Artefacts,
        tolerance: Tolerance | None,
        *,
        explain: Explain | None = None,
        drift: Callable[[Verdict], Verdict] = lambda verdict: verdict,
    ) -> None:
        """Take ``explain``, which adds to a failure what it finds out about it.

        ``drift`` compares the errors of what passes with those that are stored.
        """
        self._case = case
        self._reference = reference
        self._artefacts = artefacts
        self._tolerance = tolerance
        self._explain = explain
        self._drift = drift

    def __call__(self, outputs: Arrays) -> Verdict:
        """Judge every output by every metric; a detector's queries may come in any order.

        Errors that pass and are far larger than the stored ones are ``parity-drift``.
        """
        truth = self._reference.fp64
        is_detector = models.find(self._case.model).spec.task == "detection"
        verdict = judge_outputs(
            in_order(outputs, truth) if is_detector else outputs,
            truth,
            self._reference.eager,
            precision=self._case.precision,
            tolerance=self._tolerance,
            subject=self._case.id,
        )
        return self._explained(self._drift(verdict))

    def top_k(self, outputs: Arrays, k: int = 5) -> Verdict:
        """Judge a classifier's top-1 and top-k of its first output."""
        if fault := self._fault(outputs):
            return self._explained(fault)
        name = next(iter(models.find(self._case.model).spec.outputs))
        noise = noise_floor(self._reference.eager, self._reference.fp64).get(name, 0.0)
        verdict = judge_top_k(
            outputs[name],
            self._reference.fp64[name],
            noise=noise,
            k=k,
            labels=self._artefacts.labels(self._case.model),
            tolerance=self._tolerance,
            subject=self._case.id,
        )
        return self._explained(verdict)

    def detections(self, outputs: Arrays) -> Verdict:
        """Judge what the model's own postprocessing detects, independent of query order."""
        if fault := self._fault(outputs):
            return self._explained(fault)
        truth = self._detected(self._reference.fp64)
        eager = self._detected(self._reference.eager)
        verdict = judge_detections(
            self._detected(outputs),
            truth,
            eager=eager,
            noise=detection_noise(eager, truth),
            labels=self._artefacts.labels(self._case.model),
            tolerance=self._tolerance,
            subject=self._case.id,
        )
        return self._explained(verdict)

    def _fault(self, outputs: Arrays) -> Verdict | None:
        """Return the verdict on outputs of which no classes or detections can be made."""
        truth, subject = self._reference.fp64, self._case.id
        return malformed(outputs, truth, subject) or not_finite(outputs, truth, subject)

    def _explained(self, verdict: Verdict) -> Verdict:
        verdict = self._reference.blamed(verdict)
        if verdict.code == NOT_DETERMINISTIC:
            return verdict
        if self._explain is None or verdict.status != "fail" or verdict.code == "vacuous":
            return verdict
        return self._explain(verdict, self._case, self._tolerance)

    def _detected(self, outputs: Arrays) -> list[Arrays]:
        return self._artefacts.meaning(self._case.model, outputs)


class Consistency:
    """Judges outputs of a case that must agree: what is to be judged, then what with."""

    def __init__(self, case: Case, reference: Reference, tolerance: Tolerance | None) -> None:
        self._case = case
        self._reference = reference
        self._tolerance = tolerance

    def equal_rows(self, outputs: Arrays) -> Verdict:
        """Judge a batch of equal rows: each must be the first."""
        rows = self._with_rows(outputs)
        first = {name: np.repeat(values[:1], len(values), axis=0) for name, values in rows.items()}
        return self._judge(rows, first, metamorphic.EQUAL_ROWS)

    def permuted(self, reverse: Arrays, outputs: Arrays) -> Verdict:
        """Judge the outputs of a reversed batch."""
        expected = {name: values[::-1] for name, values in self._with_rows(outputs).items()}
        return self._judge(self._with_rows(reverse), expected, metamorphic.PERMUTED)

    def split(self, outputs: Arrays, singles: Arrays) -> Verdict:
        """Judge a batch by its rows, one by one."""
        return self._judge(self._with_rows(outputs), self._with_rows(singles), metamorphic.SPLIT)

    def repeated(self, again: Arrays, outputs: Arrays) -> Verdict:
        """Judge a second call."""
        return self._judge(again, outputs, metamorphic.REPEATED)

    def reopened(self, again: Arrays, outputs: Arrays) -> Verdict:
        """Judge an engine that was loaded again."""
        return self._judge(again, outputs, metamorphic.REOPENED)

    def rebuilt(self, again: Arrays, outputs: Arrays) -> Verdict:
        """Judge an engine that was built again."""
        return self._judge(again, outputs, metamorphic.REBUILT)

    def interleaved(self, again: Arrays, outputs: Arrays) -> Verdict:
        """Judge a call after one of another shape."""
        return self._judge(again, outputs, metamorphic.INTERLEAVED)

    def concurrent(self, outputs: Arrays, alone: Arrays) -> Verdict:
        """Judge a runner that ran beside another one."""
        return self._judge(outputs, alone, metamorphic.CONCURRENT)

    def _with_rows(self, outputs: Arrays) -> Arrays:
        """Return the outputs of which the spec says that they have rows, and unknown ones."""
        specs = models.find(self._case.model).spec.outputs
        return {
            name: values
            for name, values in outputs.items()
            if name not in specs or specs[name].has_rows
        }

    def _judge(self, actual: Arrays, expected: Arrays, relation: Relation) -> Verdict:
        verdict = metamorphic.judge_relation(
            actual,
            expected,
            relation,
            noise={} if relation.is_exact else self._noise,
            precision=self._case.precision,
            tolerance=self._tolerance,
            subject=self._case.id,
        )
        return self._reference.blamed(verdict)

    @property
    def _noise(self) -> dict[str, float]:
        truth = self._reference.fp64
        return {
            name: floor / (float(np.max(np.abs(truth[name]))) or 1.0)
            for name, floor in noise_floor(self._reference.eager, truth).items()
        }


class Truth:
    """Judges what really ran, and what a case's engine was really built from."""

    def __init__(self, case: Case, artefacts: Artefacts) -> None:
        self._case = case
        self._artefacts = artefacts

    def precision(self, evidence: Evidence) -> Verdict:
        """Judge the arithmetic that ran."""
        spec = models.find(self._case.model).spec
        return judge_precision(
            evidence,
            self._case.precision,
            has_fractions=spec.has_fractions,
            subject=self._case.id,
        )

    def placement(self, evidence: Evidence) -> Verdict:
        """Judge the device on which it ran."""
        return judge_placement(evidence, self._case.device, subject=self._case.id)

    def settings(self, evidence: Evidence) -> Verdict:
        """Judge whether the engine's settings are in force."""
        settings = self._artefacts.request(self._case).options
        return judge_settings(evidence, settings, subject=self._case.id)

    def graph(self) -> Verdict:
        """Judge the exported file that the engine was built from, as it lies on the disk."""
        graph = self._artefacts.graph(self._case)
        shapes = self._artefacts.request(self._case).shapes
        return judge_graph(
            self._artefacts.graph_facts(graph),
            self._artefacts.graph_request(self._case),
            signature_of(graph.spec, graph.request, shapes),
            subject=self._case.id,
        )


class Latency:
    """Judges samples of a case against the budget that its test's mark sets."""

    def __init__(
        self, case: Case, budget: Budget | None, stored: Callable[[], StoredMedian] | None = None
    ) -> None:
        self._case = case
        self._budget = budget
        self._stored = stored

    def __call__(self, samples: Samples, eager: Samples | None = None) -> Verdict:
        """Judge percentiles and throughput, and the speed-up over ``eager`` if it is given.

        Baselines are read only for a budget that is over them.
        """
        is_over_baseline = self._budget and self._budget.p50_over_baseline is not None
        stored = self._stored() if self._stored and is_over_baseline else None
        return judge_budget(
            samples, self._budget, eager=eager, stored=stored, subject=self._case.id
        )
