"""The judges as a test gets them: bound to its case, its reference and its marks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pytest_infer.graphs.export import signature_of
from pytest_infer.judges import metamorphic
from pytest_infer.judges.answer import Answer, Compared
from pytest_infer.judges.budget import judge_budget
from pytest_infer.judges.detections import detection_noise, judge_detections
from pytest_infer.judges.matching import in_order
from pytest_infer.judges.metamorphic import References
from pytest_infer.judges.outputs import not_finite
from pytest_infer.judges.parity import noise_floor
from pytest_infer.judges.repeatability import CODE as NOT_DETERMINISTIC
from pytest_infer.judges.repeatability import judge_repeats
from pytest_infer.judges.rows import RowJudge, joined, labels, worst_figures, worst_of
from pytest_infer.judges.top_k import judge_top_k
from pytest_infer.judges.truth import judge_graph, judge_placement, judge_precision, judge_settings
from pytest_infer.models import registry as models

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_infer.arrays import Arrays
    from pytest_infer.engines.protocol import Evidence
    from pytest_infer.judges.budget import Budget, StoredMedian
    from pytest_infer.judges.metamorphic import Relation
    from pytest_infer.judges.tolerance import Tolerance
    from pytest_infer.models.spec import Case, ModelSpec
    from pytest_infer.session.answers import Answers
    from pytest_infer.session.artefacts import Artefacts
    from pytest_infer.timing.look import Look
    from pytest_infer.timing.samples import Samples
    from pytest_infer.verdict import Verdict

    Explain = Callable[[Verdict, Case, Tolerance | None, int], Verdict]

Answered: TypeAlias = "Arrays | Iterable[Answer]"
"""The outputs for ``feeds``, or answers that say what they are answers to."""


NOT_THE_ENGINE = {"vacuous", "eager-not-finite"}
"""Failures for which no layer of the engine is to blame."""


_NOT_OF_VALUES = NOT_THE_ENGINE | {
    *("not-finite", "missing-output", "extra-output", "wrong-shape", "wrong-dtype"),
}
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

    @property
    def both(self) -> References:
        """Return the outputs in fp64 and at the case's precision."""
        return References(self.fp64, self.eager)

    def at(self, start: int) -> tuple[Arrays, Arrays]:
        """Return the outputs in fp64 and at the case's precision for other photographs."""
        if not start:
            return self.fp64, self.eager
        fp64 = self._artefacts.reference(self._case, "fp64", start)
        return fp64, self._artefacts.reference(self._case, self._case.precision, start)

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

        It gets the number of the photograph in the first row of the batch that has failed.

        ``drift`` compares the errors of what passes with those that are stored.
        """
        self._case = case
        self._reference = reference
        self._artefacts = artefacts
        self._tolerance = tolerance
        self._explain = explain
        self._drift = drift

    def __call__(self, outputs: Answered) -> Verdict:
        """Judge every output by every metric; a detector's queries may come in any order.

        ``outputs`` are those for ``feeds``, or answers to other photographs too: then all rows are
        judged together, and each alone. Errors that pass and are far larger than the stored ones
        are ``parity-drift``.
        """
        finding = self._rows(self._in_order(self._compared(outputs)))
        return self._explained(self._drift(finding.verdict), finding.start)

    def top_k(self, outputs: Answered, k: int = 5) -> Verdict:
        """Judge a classifier's top-1 and top-k of its first output."""
        return self._worst(outputs, partial(self._top_k, k=k))

    def detections(self, outputs: Answered) -> Verdict:
        """Judge what the model's own postprocessing detects, independent of query order."""
        return self._worst(outputs, self._detections)

    def burst(self, answers: Answers) -> Verdict:
        """Judge many calls in a row: each must give the first answer to its feeds.

        A difference within the noise floor passes: sums of a GPU may come in another order.
        """
        burst = answers.burst()
        worst = burst.worst
        first = next(islice(answers, worst.feeds - 1, None)) if worst else Answer({})
        return metamorphic.judge_burst(
            burst,
            first.outputs,
            references=References(*self._reference.at(first.start)) if worst else None,
            precision=self._case.precision,
            tolerance=self._tolerance,
            subject=self._case.id,
        )

    @property
    def _spec(self) -> ModelSpec:
        return models.find(self._case.model).spec

    @property
    def _rows(self) -> RowJudge:
        return RowJudge(self._spec, self._case, self._tolerance)

    def _compared(self, outputs: Answered) -> Iterator[Compared]:
        """Yield each answer beside eager's outputs for the same feeds."""
        for answer in [Answer(outputs)] if isinstance(outputs, Mapping) else outputs:
            fp64, eager = self._reference.at(answer.start)
            yield Compared(answer, fp64, eager)

    def _in_order(self, compared: Iterable[Compared]) -> Iterable[Compared]:
        if self._spec.task != "detection":
            return compared
        return (
            replace(
                each,
                answer=replace(each.answer, outputs=in_order(each.answer.outputs, each.truth)),
            )
            for each in compared
        )

    def _worst(self, outputs: Answered, judge: Callable[[Sequence[Compared]], Verdict]) -> Verdict:
        """Return the worst of what ``judge`` says of rows that are judged together."""
        groups = list(self._rows.groups(self._compared(outputs)))
        verdicts = [self._judged(group, judge) for group in groups]
        worst = worst_of(verdicts)
        starts = [
            each.answer.start
            for each in groups[verdicts.index(worst)]
            if worst.status == "fail" and self._judged([each], judge).code == worst.code
        ]
        worst = replace(worst, figures=worst_figures(verdicts))
        return self._explained(worst, next(iter(starts), 0))

    def _judged(
        self, group: Sequence[Compared], judge: Callable[[Sequence[Compared]], Verdict]
    ) -> Verdict:
        """Judge outputs of which classes or detections can be made."""
        faults = (self._rows.fault(each) or self._not_finite(each) for each in group)
        return next((fault for fault in faults if fault), None) or judge(group)

    def _not_finite(self, each: Compared) -> Verdict | None:
        subject = f"{self._case.id}, {each.answer.place}" if each.answer.place else self._case.id
        return not_finite(each.answer.outputs, each.truth, subject, each.eager)

    def _top_k(self, group: Sequence[Compared], k: int) -> Verdict:
        outputs, truth, eager = joined(group)
        name = next(iter(self._spec.outputs))
        return judge_top_k(
            outputs[name],
            truth[name],
            noise=noise_floor(eager or {}, truth)[name],
            k=k,
            labels=self._artefacts.labels(self._case.model),
            rows=labels(group),
            tolerance=self._tolerance,
            subject=self._case.id,
        )

    def _detections(self, group: Sequence[Compared]) -> Verdict:
        actual, truth, eager = (
            [image for each in group for image in self._detected(side(each))] for side in _SIDES
        )
        return judge_detections(
            actual,
            truth,
            eager=eager,
            noise=detection_noise(eager, truth),
            labels=self._artefacts.labels(self._case.model),
            images=labels(group),
            tolerance=self._tolerance,
            subject=self._case.id,
        )

    def _explained(self, verdict: Verdict, start: int) -> Verdict:
        verdict = self._reference.blamed(verdict)
        if verdict.code == NOT_DETERMINISTIC:
            return verdict
        if self._explain is None or verdict.status != "fail" or verdict.code in NOT_THE_ENGINE:
            return verdict
        return self._explain(verdict, self._case, self._tolerance, start)

    def _detected(self, outputs: Arrays) -> list[Arrays]:
        return self._artefacts.meaning(self._case.model, outputs)


_SIDES: tuple[Callable[[Compared], Arrays], ...] = (
    lambda each: each.answer.outputs,
    lambda each: each.truth,
    lambda each: each.eager or {},
)


class Consistency:
    """Judges outputs of a case that must agree: what is to be judged, then what with."""

    def __init__(self, case: Case, reference: Reference, tolerance: Tolerance | None) -> None:
        """Take the ``reference`` of as many rows as the outputs have."""
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
            references=self._reference.both,
            precision=self._case.precision,
            tolerance=self._tolerance,
            subject=self._case.id,
        )
        return self._reference.blamed(verdict)


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


UNSEEN = "; what timed calls put out cannot be seen, only calls before and after them"


class TimedCalls:
    """Judges what a case's timed calls have put out."""

    def __init__(self, case: Case, reference: Reference, tolerance: Tolerance | None) -> None:
        self._case = case
        self._reference = reference
        self._tolerance = tolerance

    def __call__(self, look: Look | None) -> Verdict | None:
        """Return the verdict on a look that shows something else than `infer` gives."""
        if look is None or not look.others:
            return None
        return metamorphic.judge_look(
            look,
            references=self._reference.both,
            precision=self._case.precision,
            tolerance=self._tolerance,
            subject=self._case.id,
        )


class Latency:
    """Judges samples of a case against the budget that its test's mark sets."""

    def __init__(
        self,
        case: Case,
        budget: Budget | None,
        stored: Callable[[], StoredMedian] | None = None,
        timed: Callable[[Look | None], Verdict | None] = lambda _: None,
    ) -> None:
        """Take ``timed``, which returns the verdict on timed calls that put out something else."""
        self._case = case
        self._budget = budget
        self._stored = stored
        self._timed = timed

    def __call__(self, samples: Samples, eager: Samples | None = None) -> Verdict:
        """Judge percentiles and throughput, and the speed-up over ``eager`` if it is given.

        Calls that did not compute what the engine is asked for fail, however fast they are.
        Baselines are read only for a budget that is over them.
        """
        if wrong := self._timed(samples.look):
            return replace(wrong, figures={**samples.figures(), **wrong.figures})
        is_over_baseline = self._budget and self._budget.p50_over_baseline is not None
        stored = self._stored() if self._stored and is_over_baseline else None
        verdict = judge_budget(
            samples, self._budget, eager=eager, stored=stored, subject=self._case.id
        )
        if samples.look is None or samples.look.is_seen:
            return verdict
        return replace(verdict, message=f"{verdict.message}{UNSEEN}")
