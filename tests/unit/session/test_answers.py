"""Which photographs are fed in which order, and that nothing is inferred twice."""

import itertools
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_infer.case import Case
from pytest_infer.hosts.memory_layout import CONTIGUOUS
from pytest_infer.judges.burst import Burst
from pytest_infer.session.answers import Answers


class Eager:
    """Feeds that are the numbers of their photographs; notes what is asked for."""

    def __init__(self, photographs):
        self.photographs = photographs
        self.referenced = []
        self.is_series = False

    def row_names(self, _):
        """Return the names of the photographs."""
        return [f"photograph {number}" for number in range(1, self.photographs + 1)]

    def feeds(self, _, batch, start=0):
        """Return the numbers, in a cycle."""
        return {"x": np.arange(start, start + batch) % self.photographs}

    def reference(self, _, precision, start=0):
        """Note it."""
        assert self.is_series
        self.referenced.append((precision, start))

    @contextmanager
    def series(self):
        """Note that engines stay open."""
        self.is_series = True
        yield
        self.is_series = False


class Engine:
    """Answers with what it was fed."""

    def __init__(self, batch):
        self.case = Case("toy", "ort", "fp16", batch, "cpu")
        self.asked, self.bursts = [], []

    def __call__(self, feeds, *, layout=CONTIGUOUS):
        """Return the numbers of the photographs."""
        self.asked.append((feeds["x"].tolist(), layout))
        return {"y": feeds["x"] * 10}

    def burst(self, feeds, first):
        """Note what is to be compared."""
        self.bursts.append((feeds, first))
        return Burst(32)


@pytest.fixture
def answering():
    """Make the answers of an engine to some photographs, and close them."""
    made = []

    def make(photographs, batch):
        engine, eager = Engine(batch), Eager(photographs)
        made.append(Answers(engine, eager, eager))
        return SimpleNamespace(answers=made[-1], engine=engine, eager=eager)

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize(
    ("photographs", "batch", "starts"),
    [
        (8, 1, [0, 1, 2, 3, 4, 5, 6, 7]),
        (8, 3, [0, 3, 6]),
        (8, 4, [0, 4]),
        (8, 5, [0, 5]),
        (8, 8, [0, 1]),
        (8, 64, [0, 1]),
        (2, 1, [0, 1]),
        (100, 1, list(range(100))),
    ],
)
def test_every_photograph_is_fed(answering, photographs, batch, starts):
    """Whatever the batch size, all are, in two different batches at least."""
    world = answering(photographs, batch)
    answers = list(world.answers)
    assert [answer.start for answer in answers] == starts
    fed = [numbers for numbers, _ in world.engine.asked]
    assert {number for numbers in fed for number in numbers} == set(range(photographs))
    assert all(one != other for one, other in itertools.pairwise(fed))
    for answer, numbers in zip(answers, fed, strict=True):
        assert answer.outputs["y"].tolist() == [10 * number for number in numbers]
        assert answer.rows == tuple(f"photograph {number + 1}" for number in numbers)
    assert [answer.place for answer in answers] == [f"call {n + 1}" for n in range(len(starts))]


def test_nothing_is_inferred_twice(answering):
    """All tests of a case share the answers; eager's are made first, in one series."""
    world = answering(8, 4)
    first = [answer.outputs["y"].tolist() for answer in world.answers]
    assert [answer.outputs["y"].tolist() for answer in world.answers] == first
    assert len(world.engine.asked) == 2
    assert world.eager.referenced == [("fp64", 0), ("fp16", 0), ("fp64", 4), ("fp16", 4)]


@pytest.mark.parametrize("batch", [1, 8])
def test_layouts(answering, batch):
    """Every other layout is fed once, each with another batch than the one before."""
    world = answering(8, batch)
    answers = list(world.answers.strided())
    layouts = ["offset", "every_second", "channels_last", "transposed"]
    assert [layout for _, layout in world.engine.asked] == layouts
    assert [answer.place for answer in answers] == [f"layout {layout}" for layout in layouts]
    starts = [answer.start for answer in answers]
    assert all(one != other for one, other in itertools.pairwise(starts))


def test_burst_has_four_batches_at_most(answering):
    """It is compared with the answers to them."""
    world = answering(8, 1)
    assert world.answers.burst() == Burst(32)
    ((feeds, first),) = world.engine.bursts
    assert [each["x"].tolist() for each in feeds] == [[0], [1], [2], [3]]
    assert [each["y"].tolist() for each in first] == [[0], [10], [20], [30]]


def test_a_failure_is_tried_again(answering):
    """What was answered before an error is kept, and the rest is asked for by the next test."""
    world = answering(8, 4)
    call, world.answers._engine = world.engine, None
    with pytest.raises(TypeError):
        list(world.answers)
    world.answers._engine = call
    assert len(list(world.answers)) == 2
