"""Shape fuzzing as it goes: what is tried now, and the first error that it met."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_infer.fuzzing.recipe import example_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.arrays import Array
    from pytest_infer.fuzzing.judge import ShapeJudge
    from pytest_infer.fuzzing.recipe import Recipe
    from pytest_infer.fuzzing.runner import ShapeRunner
    from pytest_infer.fuzzing.tally import ShapeTally
    from pytest_infer.judges.tolerance import Tolerance

SEPARATOR = "/"
"""Between the steps of a sequence, as a replay has them."""


class Trace:
    """What a search has just fed, as ``--infer-fuzz-replay`` takes it, and its first error.

    hypothesis does not report an error that it could not repeat.
    """

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.first: tuple[str, Exception] | None = None
        """What led to it, and the error."""

    def __str__(self) -> str:
        """Return the steps, or the only recipe."""
        return SEPARATOR.join(self.steps)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep the first error raised within, and what led to it."""
        try:
            yield
        except Exception as error:
            self.first = self.first or (str(self), error)
            raise


class ShapeTrial:
    """A recipe at a time, on one runner."""

    def __init__(
        self,
        judge: ShapeJudge,
        runner: ShapeRunner,
        tally: ShapeTally,
        tolerance: Tolerance | None,
        trace: Trace,
    ) -> None:
        self._judge = judge
        self._runner = runner
        self._tally = tally
        self._tolerance = tolerance
        self._trace = trace
        self.latest = example_of(judge.spec)

    def __call__(self, recipe: Recipe) -> None:
        """Judge a recipe after a call of the least shape.

        So what is wrong does not depend on what was tried before.
        """
        self.latest = recipe
        self._trace.steps[:] = [str(recipe)]
        with self._trace.noted():
            self._judge.settle(self._runner)
            self._judge.check(self._runner, recipe, self._tally, self._tolerance)


class SequenceTrial:
    """What the state machine does to its runners."""

    def __init__(
        self,
        judge: ShapeJudge,
        tally: ShapeTally,
        tolerance: Tolerance | None,
        trace: Trace,
    ) -> None:
        self._judge = judge
        self._tally = tally
        self._tolerance = tolerance
        self._trace = trace

    def open(self) -> ShapeRunner:
        """Return another runner of the engine, called once."""
        runner = self._judge.new_runner()
        with self._trace.noted():
            self._judge.settle(runner)
        return runner

    def run(self, runner: ShapeRunner, recipe: Recipe) -> dict[str, Array]:
        """Run a recipe, and judge its outputs against eager."""
        with self._trace.noted():
            return self._judge.check(runner, recipe, self._tally, self._tolerance)

    def again(self, runner: ShapeRunner, recipe: Recipe, before: dict[str, Array]) -> None:
        """Run a recipe again, and judge its outputs by those before."""
        with self._trace.noted():
            self._judge.check_repeated(runner, recipe, before, self._tolerance)
