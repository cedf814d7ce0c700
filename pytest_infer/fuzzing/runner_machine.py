"""Two runners of one engine as a rule-based state machine: run, run again, reopen, in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pytest_infer.errors import OptionError
from pytest_infer.fuzzing.recipe import Recipe, recipe_from_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import SearchStrategy

    from pytest_infer.arrays import Array
    from pytest_infer.fuzzing.runner import ShapeRunner
    from pytest_infer.models.spec import ModelSpec

RUNNERS = 2

AGAIN, REOPEN = "again", "reopen"
"""The steps of a runner besides a recipe."""

MARK = ":"
"""Between a step's runner and what it does."""


class Judged(Protocol):
    """What the machine does to a runner; each raises if the outputs are wrong."""

    def open(self) -> ShapeRunner:
        """Return another runner of the engine."""
        ...

    def run(self, runner: ShapeRunner, recipe: Recipe) -> dict[str, Array]:
        """Run a recipe, and judge its outputs against eager."""
        ...

    def again(self, runner: ShapeRunner, recipe: Recipe, before: dict[str, Array]) -> None:
        """Run a recipe again, and judge its outputs by those before."""
        ...


class Runners:
    """The runners and what each was fed last; a step is one call of one of them."""

    def __init__(self, judged: Judged, steps: list[str]) -> None:
        """Take ``steps``, to which each step is added before it is made."""
        self._judged = judged
        self._steps = steps
        self._runners = [judged.open() for _ in range(RUNNERS)]
        self._last: dict[int, tuple[Recipe, dict[str, Array]]] = {}

    def run(self, number: int, recipe: Recipe) -> None:
        """Feed a runner."""
        self._steps.append(f"{number}{MARK}{recipe}")
        self._last[number] = recipe, self._judged.run(self._runners[number], recipe)

    def again(self, number: int) -> None:
        """Feed a runner what it was fed last, if it was."""
        if number in self._last:
            self._steps.append(f"{number}{MARK}{AGAIN}")
            self._judged.again(self._runners[number], *self._last[number])

    def reopen(self, number: int) -> None:
        """Close a runner, which is opened again by its next call."""
        self._steps.append(f"{number}{MARK}{REOPEN}")
        self._runners[number].close()

    def close(self) -> None:
        """Free every runner."""
        for runner in self._runners:
            runner.close()


def machine_of(judged: Judged, recipes: SearchStrategy[Recipe], steps: list[str]) -> type[Any]:
    """Return hypothesis's state machine of `Runners`; ``steps`` are those of its latest run."""
    from hypothesis import strategies
    from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

    numbers = strategies.integers(0, RUNNERS - 1)

    class RunnerMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            steps.clear()
            self.runners = Runners(judged, steps)

        @initialize(recipe=recipes)
        def start(self, recipe: Recipe) -> None:
            self.runners.run(0, recipe)

        @rule(number=numbers, recipe=recipes)
        def run(self, number: int, recipe: Recipe) -> None:
            self.runners.run(number, recipe)

        @rule(number=numbers)
        def again(self, number: int) -> None:
            self.runners.again(number)

        @rule(number=numbers)
        def reopen(self, number: int) -> None:
            self.runners.reopen(number)

        def teardown(self) -> None:
            self.runners.close()

    return RunnerMachine


def replay(judged: Judged, steps: Sequence[str], spec: ModelSpec) -> None:
    """Make the steps that a failed sequence has printed."""
    runners = Runners(judged, [])
    try:
        for step in steps:
            number, _, what = step.partition(MARK)
            if number not in map(str, range(RUNNERS)) or not what:
                raise OptionError(
                    f"{step} is no step of a sequence",
                    why=f"it begins with a runner's number below {RUNNERS} and a colon",
                    mend=f"write 0:{AGAIN}, 0:{REOPEN} or 0: and a recipe",
                )
            if what == AGAIN:
                runners.again(int(number))
            elif what == REOPEN:
                runners.reopen(int(number))
            else:
                runners.run(int(number), recipe_from_text(what, spec))
    finally:
        runners.close()
