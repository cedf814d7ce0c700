"""The judge of many photographs: all rows together, and each row alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.arrays import Array, Arrays
from pytest_infer.case import Case
from pytest_infer.judges.allowance import MOST_ROWS
from pytest_infer.judges.declared import misdeclared, sizes_of, undeclared
from pytest_infer.judges.metrics import metrics
from pytest_infer.judges.outputs import malformed, not_finite, vacuous
from pytest_infer.judges.parity import judge_outputs
from pytest_infer.judges.tolerance import Tolerance, mark_from_bounds
from pytest_infer.models.spec import BATCH, ModelSpec
from pytest_infer.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_infer.case import Precision
    from pytest_infer.judges.answer import Compared


LEAST_ELEMENTS = 16
"""A row with fewer says too little of eager's error: the others decide what it may be."""

NOT_THE_ROWS = {"vacuous", "eager-not-finite"}
"""Failures of the model or its feeds: no row of the engine is to blame."""

SMALL_ROW = 0.1
"""A row this small beside the median one is what is left of sums that cancel: its error is theirs,
and large beside it."""


@dataclass(frozen=True)
class Finding:
    """A verdict, and the first photograph of the batch in which the worst of it is."""

    verdict: Verdict
    start: int = 0


@dataclass(frozen=True)
class _Row:
    """One row of several outputs, each still with an axis for it."""

    label: str
    start: int
    actual: Arrays
    truth: Arrays
    eager: Arrays | None


@dataclass(frozen=True)
class RowJudge:
    """Judges a case's answers by `judge_outputs`.

    All rows together show a wrong scale best; a row alone shows what is wrong with it only. There
    eager's error is at least the median row's, for on one input it may be small by luck.
    """

    spec: ModelSpec
    case: Case
    tolerance: Tolerance | None = None

    @property
    def has_rows(self) -> bool:
        """Return whether the first axis of every output is the batch; else calls are judged."""
        return all(tensor.shape[:1] == (BATCH,) for tensor in self.spec.outputs.values())

    def __call__(self, compared: Iterable[Compared]) -> Finding:
        """Return the worst finding, with the worst figures of all."""
        found = [self._judged(group) for group in self.groups(compared)]
        verdicts = [each.verdict for each in found]
        worst = found[verdicts.index(worst_of(verdicts))]
        return replace(worst, verdict=replace(worst.verdict, figures=worst_figures(verdicts)))

    def groups(self, compared: Iterable[Compared]) -> Iterator[list[Compared]]:
        """Yield calls that are judged together: more rows than `MOST_ROWS` show nothing more."""
        group: list[Compared] = []
        for each in compared:
            group.append(each)
            if not self.has_rows or sum(one.size for one in group) >= MOST_ROWS:
                yield group
                group = []
        if group:
            yield group

    def fault(self, each: Compared) -> Verdict | None:
        """Return the verdict on an answer that is not what the spec declares, or on the spec."""
        sizes = sizes_of(self.spec, self.case.batch)
        outputs, subject = each.answer.outputs, _listed(self.case.id, each.answer.place)
        return (
            misdeclared(each.truth, self.spec, sizes, self.case.id)
            or malformed(outputs, each.truth, subject)
            or undeclared(outputs, self.spec, sizes, self.case.precision, subject)
        )

    def _judged(self, group: Sequence[Compared]) -> Finding:
        for each in group:
            if fault := self.fault(each):
                return Finding(fault, each.answer.start)
        whole = self._judge(*joined(group), self._extent(group))
        if whole.code == "not-finite" and self.has_rows:
            return self._not_finite(group)
        is_settled = not self.has_rows or whole.code in NOT_THE_ROWS
        if is_settled or sum(one.size for one in group) == 1:
            return Finding(whole, group[0].answer.start)
        rows = list(_rows(group, self.case.precision))
        verdicts = [self._row(row) for row in rows]
        figures = worst_figures([whole, *verdicts])
        failed = [number for number, each in enumerate(verdicts) if each.status == "fail"]
        if not failed:
            place, start = _farthest(group)
            where = f"\n  most: {place}" if whole.status == "fail" else ""
            return Finding(
                replace(whole, message=f"{whole.message}{where}", figures=figures), start
            )
        worst = max(failed, key=lambda number: _badness(verdicts[number]))
        verdict = _covering(verdicts[worst], [whole, *(verdicts[number] for number in failed)])
        message = f"{verdict.message}\n  rows: {len(failed)} of {len(rows)} fail alone"
        return Finding(replace(verdict, message=message, figures=figures), rows[worst].start)

    def _not_finite(self, group: Sequence[Compared]) -> Finding:
        """Return the verdict on the first row that holds NaN or infinity."""
        for each in group:
            for row in range(each.size):
                subject = _listed(self.case.id, each.label(row))
                part = slice(row, row + 1)
                actual, truth = (
                    {name: values[part] for name, values in side.items()}
                    for side in (each.answer.outputs, each.truth)
                )
                if fault := not_finite(actual, truth, subject):
                    return Finding(fault, each.answer.start)
        raise AssertionError("some row of outputs that are not finite is not")

    def _row(self, row: _Row) -> Verdict:
        subject = _listed(self.case.id, row.label)
        return self._judge(row.actual, row.truth, row.eager, subject)

    def _extent(self, group: Sequence[Compared]) -> str:
        """Return the case and how much of it a group is."""
        (first, *others) = group
        if others:
            return f"{self.case.id}, {sum(each.size for each in group)} rows of {len(group)} calls"
        is_row = self.has_rows and first.size == 1 and first.answer.rows
        return _listed(self.case.id, first.label(0) if is_row else first.answer.place)

    def _judge(self, actual: Arrays, truth: Arrays, eager: Arrays | None, subject: str) -> Verdict:
        return judge_outputs(
            actual,
            truth,
            eager,
            precision=self.case.precision,
            tolerance=self.tolerance,
            subject=subject,
        )


def joined(group: Sequence[Compared]) -> tuple[Arrays, Arrays, Arrays | None]:
    """Return the outputs, eager's in fp64 and at the case's precision, of all rows in turn."""
    outputs = _joined([each.answer.outputs for each in group])
    truth = _joined([each.truth for each in group])
    return outputs, truth, _joined([each.eager for each in group if each.eager is not None]) or None


def labels(group: Sequence[Compared]) -> list[str]:
    """Return what each row of a group is."""
    return [each.label(row) for each in group for row in range(each.size)]


def worst_of(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the first that fails by the most, or else the one that is nearest to it."""
    return max(verdicts, key=lambda each: (each.status == "fail", _badness(each)))


def worst_figures(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Return the worst of each figure; of those that no metric is named after, the largest."""
    names = dict.fromkeys(name for each in verdicts for name in each.figures)
    return {
        name: _worst(name, [each.figures[name] for each in verdicts if name in each.figures])
        for name in names
    }


def _worst(name: str, values: list[float]) -> float:
    metric = metrics().get(name)
    if metric is not None:
        return metric.worst(values)
    return min(values) if name.endswith(("agreement", "iou")) else max(values)


def _badness(verdict: Verdict) -> float:
    """Return how far a verdict is beyond what is allowed; most if that cannot be measured."""
    has_failed = verdict.status == "fail"
    return verdict.figures.get("worst_ratio", float("inf") if has_failed else 0.0)


def _covering(verdict: Verdict, others: Sequence[Verdict]) -> Verdict:
    """Return the verdict with a mark in its mend that all others would pass with, too."""
    own = verdict.bounds
    if not own:
        return verdict
    found = [each.bounds for each in others if each.bounds]
    names = {name for bounds in found for name in bounds}
    bounds = {name: _worst(name, [each[name] for each in found if name in each]) for name in names}
    message = verdict.message.replace(mark_from_bounds(own), mark_from_bounds(bounds))
    return replace(verdict, message=message, bounds=bounds)


def _farthest(group: Sequence[Compared]) -> tuple[str, int]:
    """Return the label and the start of the row that is farthest off, over each output's size."""
    actual, truth, _ = joined(group)
    errors = sum(
        _norms(actual[name].astype(np.float64) - values.astype(np.float64))
        / (np.max(np.abs(values.astype(np.float64))) or 1.0)
        for name, values in truth.items()
    )
    row = int(np.argmax(errors))
    starts = [each.answer.start for each in group for _ in range(each.size)]
    return labels(group)[row], starts[row]


def _listed(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _joined(parts: Sequence[Arrays]) -> dict[str, Array]:
    if len(parts) <= 1:  # a call alone may have outputs without any dimension
        return dict(parts[0]) if parts else {}
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _rows(group: Sequence[Compared], precision: Precision) -> Iterator[_Row]:
    """Yield each row with those of its outputs that say something alone."""
    actual, truth, eager = joined(group)
    starts = [each.answer.start for each in group for _ in range(each.size)]
    lifted = {} if eager is None else {name: _lifted(eager[name], truth[name]) for name in eager}
    small = {name: _small_rows(values) for name, values in truth.items()}
    for number, label in enumerate(labels(group)):
        row = slice(number, number + 1)
        names = [
            name
            for name, values in truth.items()
            if not small[name][number] and not vacuous({name: values[row]}, precision, "")
        ]
        if names:
            yield _Row(
                label,
                starts[number],
                {name: actual[name][row] for name in names},
                {name: truth[name][row] for name in names},
                {name: lifted[name][row] for name in names if name in lifted} if lifted else None,
            )


def _small_rows(truth: Array) -> Array:
    """Return which rows say too little alone."""
    if truth.dtype.kind != "f":
        return np.zeros(len(truth), bool)
    sizes = _norms(truth)
    small: Array = (sizes < SMALL_ROW * np.median(sizes)) | (truth[0].size < LEAST_ELEMENTS)
    return small


def _lifted(eager: Array, truth: Array) -> Array:
    """Return eager's outputs with every row's error made as large as the median row's.

    A row without any takes the errors of the median row.
    """
    if truth.dtype.kind != "f" or eager.shape != truth.shape or not np.isfinite(eager).all():
        return eager
    errors = eager.astype(np.float64) - truth
    sizes = _norms(errors)
    usual = float(np.median(sizes))
    middle = errors[int(np.argmin(np.abs(sizes - usual)))]
    lifted = errors.copy()
    for row in np.flatnonzero(sizes < usual):
        lifted[row] = errors[row] * (usual / sizes[row]) if sizes[row] else middle
    result: Array = truth + lifted
    return result


def _norms(values: Array) -> Array:
    rows = values.reshape(len(values), -1).astype(np.float64)
    norms: Array = np.linalg.norm(rows, axis=1)
    return norms
