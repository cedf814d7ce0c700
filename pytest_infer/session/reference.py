"""The fixture `reference`: eager's outputs for a case's feeds."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pytest_infer.judges.metamorphic import References
from pytest_infer.judges.repeatability import judge_repeats

if TYPE_CHECKING:
    from pytest_infer.arrays import Arrays
    from pytest_infer.case import Case
    from pytest_infer.session.eager import Eager
    from pytest_infer.verdict import Verdict

NOT_THE_ENGINE = {"vacuous", "eager-not-finite"}
"""Failures for which no layer of the engine is to blame."""


_NOT_OF_VALUES = NOT_THE_ENGINE | {
    *("not-finite", "missing-output", "extra-output", "wrong-shape", "wrong-dtype"),
}
"""Codes of failures that a model which differs from itself does not explain."""


class Reference:
    """Eager mode's outputs for a case's inputs."""

    def __init__(self, case: Case, eager: Eager) -> None:
        self._case = case
        self._eager = eager

    @cached_property
    def fp64(self) -> Arrays:
        """Return the outputs in fp64, which stand for the truth."""
        return self._eager.reference(self._case, "fp64")

    @cached_property
    def fp32(self) -> Arrays:
        """Return the outputs in fp32 with TF32 off."""
        return self._eager.reference(self._case, "fp32")

    @cached_property
    def eager(self) -> Arrays:
        """Return the outputs at the case's own precision, the noise floor; int8 is simulated."""
        return self._eager.reference(self._case, self._case.precision)

    @property
    def both(self) -> References:
        """Return the outputs in fp64 and at the case's precision."""
        return References(self.fp64, self.eager)

    def at(self, start: int) -> tuple[Arrays, Arrays]:
        """Return the outputs in fp64 and at the case's precision for other photographs."""
        if not start:
            return self.fp64, self.eager
        fp64 = self._eager.reference(self._case, "fp64", start)
        return fp64, self._eager.reference(self._case, self._case.precision, start)

    def blamed(self, verdict: Verdict) -> Verdict:
        """Return a failed verdict, or that of the model if eager differs from itself."""
        if verdict.status != "fail" or verdict.code in _NOT_OF_VALUES:
            return verdict
        runs = self._eager.repeats(self._case)
        return judge_repeats(runs, subject=self._case.id) or verdict
