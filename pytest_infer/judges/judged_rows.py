"""What the judge of a task gets: the rows of all calls that are judged together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from pytest_infer.arrays import Array, Arrays
from pytest_infer.case import Precision
from pytest_infer.judges.answer import Compared
from pytest_infer.judges.rows import joined, labels
from pytest_infer.judges.tolerance import Tolerance
from pytest_infer.models.spec import ModelSpec
from pytest_infer.verdict import Verdict, failed


class Postprocessed(NamedTuple):
    """What the model's own postprocessing makes of each row, on all three sides."""

    actual: list[Arrays]
    reference: list[Arrays]
    eager: list[Arrays]


class Side(NamedTuple):
    """One output on all three sides."""

    actual: Array
    reference: Array
    """In fp64."""
    eager: Array | None
    """At the case's precision; its error is the noise floor."""


@dataclass(frozen=True)
class JudgedRows:
    """An engine's outputs beside eager's for the same feeds: all rows, one after the other.

    What is malformed, of another dtype than the spec says, or not finite has failed before.
    """

    calls: Sequence[Compared]
    spec: ModelSpec
    precision: Precision
    subject: str
    """What a message calls the engine."""
    tolerance: Tolerance = field(default_factory=Tolerance)
    """The keywords of ``@pytest.mark.tolerance``; empty without one."""
    labels: Sequence[str] = ()
    """The names of the model's classes, or targets; empty if it has none."""
    postprocess: Callable[[Arrays], list[Arrays]] | None = None

    @cached_property
    def rows(self) -> list[str]:
        """Return what each row is: ``photograph 3 (coffee), row 2 of call 1``."""
        return [label for each in self.calls for label in labels([each])]

    @property
    def first(self) -> Side:
        """Return the first output of the spec."""
        return self.output(next(iter(self.spec.outputs)))

    def output(self, name: str) -> Side:
        """Return the output called ``name``."""
        actual, reference, eager = self._joined
        return Side(actual[name], reference[name], None if eager is None else eager[name])

    @cached_property
    def postprocessed(self) -> Postprocessed:
        """Return what the model's own postprocessing makes of each row, call by call."""
        make = self.postprocess or (lambda outputs: [outputs])
        sides: tuple[Callable[[Compared], Arrays], ...] = (
            lambda each: each.answer.outputs,
            lambda each: each.truth,
            lambda each: each.eager or {},
        )
        return Postprocessed(
            *([row for each in self.calls for row in make(side(each))] for side in sides)
        )

    def passed(self, message: str, figures: Mapping[str, float]) -> Verdict:
        """Return the verdict ``match``; ``message`` goes on from what the engine is called."""
        return Verdict("parity", "pass", "match", f"{self.subject} {message}", figures)

    def failed(
        self, code: str, what: str, *, why: str, mend: str, figures: Mapping[str, float]
    ) -> Verdict:
        """Return a verdict ``fail`` of a stable ``code``."""
        what = f"{self.subject}: {what}"
        return failed("parity", code, what=what, why=why, mend=mend, figures=figures)

    def vacuous(self, why: str) -> Verdict:
        """Return the verdict on a comparison that would prove nothing."""
        return failed(
            "parity",
            "vacuous",
            what=f"{self.subject}: the comparison of {self.spec.task} would prove nothing",
            why=why,
            mend="look at the model's weights and inputs (--infer-weights, --infer-images)",
        )

    def of_another_form(self, side: Side, form: str) -> Verdict:
        """Return the verdict on an output that the task does not compare: ``(rows, values)``."""
        return self.failed(
            "wrong-form",
            f"the first output is not what the task {self.spec.task} compares",
            why=f"its shape is {side.reference.shape}, and not {form}",
            mend="choose the task= that the model has, or name first in outputs= what the task "
            "means; leave task= out to compare the outputs alone",
            figures={},
        )

    @cached_property
    def _joined(self) -> tuple[Arrays, Arrays, Arrays | None]:
        return joined(self.calls)
