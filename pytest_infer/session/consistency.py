"""The fixture `consistency`: the judge of what must agree with itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.judges import relations
from pytest_infer.judges.metamorphic import References, judge_relation
from pytest_infer.models import registry as models

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import Case
    from pytest_infer.judges.relations import Relation
    from pytest_infer.judges.tolerance import Tolerance
    from pytest_infer.session.reference import Reference
    from pytest_infer.verdict import Verdict

    Explain = Callable[[Verdict, Case, Tolerance | None, int], Verdict]


class Consistency:
    """Judges outputs of a case that must agree: first what is judged, then what with."""

    def __init__(self, case: Case, reference: Reference, tolerance: Tolerance | None) -> None:
        """Take the ``reference`` of as many rows as the outputs have."""
        self._case = case
        self._reference = reference
        self._tolerance = tolerance

    def equal_rows(self, outputs: Arrays) -> Verdict:
        """Judge a batch of equal rows: each must be the first."""
        rows = self._with_rows(outputs)
        first = {name: np.repeat(values[:1], len(values), axis=0) for name, values in rows.items()}
        return self._judge_rows(rows, first, relations.EQUAL_ROWS)

    def permuted(self, reverse: Arrays, outputs: Arrays) -> Verdict:
        """Judge the outputs of a reversed batch."""
        expected = {name: values[::-1] for name, values in self._with_rows(outputs).items()}
        return self._judge_rows(self._with_rows(reverse), expected, relations.PERMUTED)

    def split(self, outputs: Arrays, singles: Arrays) -> Verdict:
        """Judge a batch by its rows, one by one."""
        rows, single = self._with_rows(outputs), self._with_rows(singles)
        return self._judge_rows(rows, single, relations.SPLIT)

    def repeated(self, again: Arrays, outputs: Arrays) -> Verdict:
        """Judge a second call."""
        return self._judge(again, outputs, relations.REPEATED)

    def reopened(self, again: Arrays, outputs: Arrays) -> Verdict:
        """Judge an engine that was loaded again."""
        return self._judge(again, outputs, relations.REOPENED)

    def rebuilt(self, again: Arrays, outputs: Arrays) -> Verdict:
        """Judge an engine that was built again."""
        return self._judge(again, outputs, relations.REBUILT)

    def interleaved(self, again: Arrays, outputs: Arrays) -> Verdict:
        """Judge a call after one of another shape."""
        return self._judge(again, outputs, relations.INTERLEAVED)

    def concurrent(self, outputs: Arrays, alone: Arrays) -> Verdict:
        """Judge a runner that ran beside another one."""
        return self._judge(outputs, alone, relations.CONCURRENT)

    def _with_rows(self, outputs: Arrays) -> Arrays:
        """Return the outputs of which the spec says that they have rows, and unknown ones."""
        specs = models.find(self._case.model).spec.outputs
        return {
            name: values
            for name, values in outputs.items()
            if name not in specs or specs[name].has_rows
        }

    def _judge_rows(self, actual: Arrays, expected: Arrays, relation: Relation) -> Verdict:
        """Judge outputs that have rows, beside those of eager that have."""
        both = self._reference.both
        known = References(self._with_rows(both.fp64), self._with_rows(both.eager))
        return self._judge(actual, expected, relation, known)

    def _judge(
        self,
        actual: Arrays,
        expected: Arrays,
        relation: Relation,
        references: References | None = None,
    ) -> Verdict:
        verdict = judge_relation(
            actual,
            expected,
            relation,
            references=references or self._reference.both,
            precision=self._case.precision,
            tolerance=self._tolerance,
            subject=self._case.id,
        )
        return self._reference.blamed(verdict)
