"""Sequences of calls are made, told and made again."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from pytest_infer.errors import OptionError
from pytest_infer.fuzzing.recipe import Recipe
from pytest_infer.fuzzing.runner_machine import Runners, machine_of, replay
from pytest_infer.models.source import Source
from pytest_infer.models.spec import Dim, ModelSpec, TensorSpec

SPEC = ModelSpec(
    "net",
    "tensor",
    {"x": TensorSpec(("batch", 2))},
    {"y": TensorSpec(("batch", 2))},
    Source(module="net"),
    {"batch": Dim(1, 1, 4)},
)
RECIPES = st.integers(1, 4).map(lambda rows: Recipe((("batch", rows),)))


class WrongError(Exception):
    """Outputs that are wrong."""


class Runner:
    """Remembers the rows of its calls, until it is closed."""

    def __init__(self, number):
        self.number = number
        self.calls = []

    def close(self):
        """Forget."""
        self.calls = []


class Judged:
    """Runs doubles; what ``is_wrong`` of a runner's calls raises."""

    def __init__(self, is_wrong=lambda _: False):
        self.is_wrong = is_wrong
        self.opened = 0
        self.log = []

    def open(self):
        """Return a new double."""
        self.opened += 1
        return Runner(self.opened - 1)

    def run(self, runner, recipe):
        """Note a call."""
        runner.calls.append(recipe.rows)
        self.log.append((runner.number, recipe.rows))
        if self.is_wrong(runner.calls):
            raise WrongError
        return {"y": recipe.rows}

    def again(self, runner, recipe, before):
        """Note a repeated call."""
        assert before == {"y": recipe.rows}
        self.run(runner, recipe)


def test_steps():
    """Each call goes to its runner; one that was never fed cannot repeat anything."""
    judged, steps = Judged(), []
    runners = Runners(judged, steps)
    runners.again(1)
    runners.run(0, Recipe((("batch", 3),)))
    runners.again(0)
    runners.reopen(0)
    runners.again(0)
    assert judged.log == [(0, 3)] * 3
    line = "batch=3,values=normal,layout=contiguous,seed=0"
    assert steps == [f"0:{line}", "0:again", "0:reopen", "0:again"]
    again = Judged()
    replay(again, steps, SPEC)
    assert again.log == judged.log


@pytest.mark.parametrize(
    ("is_wrong", "shortest"),
    [
        (lambda calls: calls[-2:-1] > calls[-1:], [["0:batch=2", "0:batch=1"]]),
        (
            lambda calls: calls[-2:] == [3, 3],
            [["0:batch=3", "0:again"], ["0:batch=3", "0:batch=3"]],
        ),
    ],
)
def test_shrinks_to_the_shortest_sequence(is_wrong, shortest):
    """What depends on the call before is found with that call, and fails again by its steps."""
    found = []
    with pytest.raises(WrongError):
        run_state_machine_as_test(
            machine_of(Judged(is_wrong), RECIPES, found),
            settings=settings(max_examples=200, stateful_step_count=8, database=None),
        )
    assert [step.partition(",")[0] for step in found] in shortest
    with pytest.raises(WrongError):
        replay(Judged(is_wrong), found, SPEC)


@pytest.mark.parametrize("step", ["2:again", "again", "0:"])
def test_step_that_is_none(step):
    """A step of no runner is an error."""
    with pytest.raises(OptionError, match="is no step of a sequence"):
        replay(Judged(), [step], SPEC)
