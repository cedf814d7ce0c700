"""The fixture `parity`: the judge of outputs, bound to its case, its reference and its marks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from pytest_infer.errors import CaseError
from pytest_infer.judges import metamorphic
from pytest_infer.judges.answer import Answer, Compared
from pytest_infer.judges.judged_rows import JudgedRows
from pytest_infer.judges.matching import in_order
from pytest_infer.judges.metamorphic import References
from pytest_infer.judges.outputs import not_finite
from pytest_infer.judges.repeatability import CODE as NOT_DETERMINISTIC
from pytest_infer.judges.rows import RowJudge, worst_figures, worst_of
from pytest_infer.judges.tasks import registry as tasks
from pytest_infer.judges.tasks.classification import judge_classes
from pytest_infer.judges.tasks.detection import detection
from pytest_infer.judges.tolerance import Tolerance
from pytest_infer.models import registry as models
from pytest_infer.models.tasks import TENSOR
from pytest_infer.session.photographs import with_photographs
from pytest_infer.session.reference import NOT_THE_ENGINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import Case
    from pytest_infer.models.spec import ModelSpec
    from pytest_infer.session.answers import Answers
    from pytest_infer.session.models import Models
    from pytest_infer.session.reference import Reference
    from pytest_infer.verdict import Verdict

    Explain = Callable[[Verdict, Case, Tolerance | None, int], Verdict]

Answered: TypeAlias = "Arrays | Iterable[Answer]"
"""The outputs for ``feeds``, or answers that say what they are answers to."""


class Parity:
    """Judges outputs of a case against its reference."""

    def __init__(
        self,
        case: Case,
        reference: Reference,
        models: Models,
        tolerance: Tolerance | None,
        *,
        explain: Explain | None = None,
        has_photographs: bool = False,
        add_loss: Callable[[Verdict, Case], Verdict] = lambda verdict, _: verdict,
        drift: Callable[[Verdict], Verdict] = lambda verdict: verdict,
    ) -> None:
        """Take ``explain``, which adds to a failure what it finds out about it.

        It gets the number of the photograph in the first row of the batch that has failed.

        With ``has_photographs`` the verdict of a task has some of them, with both sides' answers.
        ``add_loss`` adds where an int8 graph loses most.
        ``drift`` compares the errors of what passes with those that are stored.
        """
        self._case = case
        self._reference = reference
        self._models = models
        self._tolerance = tolerance
        self._explain = explain
        self._add_loss = add_loss
        self._has_photographs = has_photographs
        self._drift = drift

    def __call__(self, outputs: Answered) -> Verdict:
        """Judge every output by every metric; a detector's queries may come in any order.

        ``outputs`` are those for ``feeds``, or answers to other photographs too: then all rows are
        judged together, and each alone. Errors that pass and are far larger than the stored ones
        are ``parity-drift``.
        """
        finding = self._rows(self._in_order(self._compared(outputs)))
        verdict = self._add_loss(self._drift(finding.verdict), self._case)
        return self._explained(verdict, finding.start)

    def task(self, outputs: Answered) -> Verdict:
        """Judge what the outputs mean, by the judge of the model's task.

        Raise `CaseError` for a model of the task ``tensor``, whose outputs mean nothing more.
        """
        if self._spec.task == TENSOR:
            raise CaseError(
                f"cannot judge the task of {self._case.id}",
                why=f"the task of {self._case.model} is {TENSOR!r}, which has no judge",
                mend=f"give the model a task ({', '.join(tasks.registered())}), or narrow the test "
                "with @pytest.mark.infer(with_task=True)",
            )
        return self._worst(outputs, tasks.find(self._spec.task))

    def top_k(self, outputs: Answered, k: int = 5) -> Verdict:
        """Judge a classifier's top-1 and top-k of its first output."""
        return self._worst(outputs, partial(judge_classes, k=k))

    def detections(self, outputs: Answered) -> Verdict:
        """Judge what the model's own postprocessing detects, independent of query order."""
        return self._worst(outputs, detection)

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
        for answer in self._answers(outputs):
            fp64, eager = self._reference.at(answer.start)
            yield Compared(answer, fp64, eager)

    def _answers(self, outputs: Answered) -> Iterator[Answer]:
        """Yield answers; raise `CaseError` for what is neither outputs by name nor answers."""
        if isinstance(outputs, Mapping):
            yield Answer(outputs)
            return
        for each in outputs if isinstance(outputs, Iterable) else [outputs]:
            if not isinstance(each, Answer):
                raise CaseError(
                    f"cannot judge {self._case.id}",
                    why=f"parity got {type(outputs).__name__} instead of outputs by name",
                    mend="give it what the engine returns, parity(engine(feeds)), or answers",
                )
            yield each

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

    def _worst(self, outputs: Answered, judge: Callable[[JudgedRows], Verdict]) -> Verdict:
        """Return the worst of what ``judge`` says of rows that are judged together."""
        groups = [self._judged_rows(each) for each in self._rows.groups(self._compared(outputs))]
        verdicts = [self._judged(group, judge) for group in groups]
        worst = worst_of(verdicts)
        group = groups[verdicts.index(worst)]
        starts = [
            each.answer.start
            for each in group.calls
            if worst.status == "fail"
            and self._judged(self._judged_rows([each]), judge).code == worst.code
        ]
        if self._has_photographs:
            worst = with_photographs(worst, group, self._models)
        worst = replace(worst, figures=worst_figures(verdicts))
        return self._explained(worst, next(iter(starts), 0))

    def _judged(self, group: JudgedRows, judge: Callable[[JudgedRows], Verdict]) -> Verdict:
        """Judge outputs that are well formed, and so may mean something."""
        faults = (self._rows.fault(each) or self._not_finite(each) for each in group.calls)
        return next((fault for fault in faults if fault), None) or judge(group)

    def _judged_rows(self, group: Sequence[Compared]) -> JudgedRows:
        return JudgedRows(
            calls=group,
            spec=self._spec,
            precision=self._case.precision,
            subject=self._case.id,
            tolerance=self._tolerance or Tolerance(),
            labels=self._models.labels(self._case.model),
            postprocess=lambda outputs: self._models.meaning(self._case.model, outputs),
        )

    def _not_finite(self, each: Compared) -> Verdict | None:
        subject = f"{self._case.id}, {each.answer.place}" if each.answer.place else self._case.id
        return not_finite(each.answer.outputs, each.truth, subject, each.eager)

    def _explained(self, verdict: Verdict, start: int) -> Verdict:
        verdict = self._reference.blamed(verdict)
        if verdict.code == NOT_DETERMINISTIC:
            return verdict
        if self._explain is None or verdict.status != "fail" or verdict.code in NOT_THE_ENGINE:
            return verdict
        return self._explain(verdict, self._case, self._tolerance, start)
