"""What is built ahead is built once, and beside everything but a measurement."""

from dataclasses import replace
from threading import Event
from types import SimpleNamespace

import pytest

from pytest_infer import made_ahead
from pytest_infer.case import Case
from pytest_infer.config import InferConfig
from pytest_infer.errors import BuildError
from pytest_infer.session.builds_ahead import Asked, Build, BuildsAhead, is_made_ahead

CASE = Case("net", "compile", "fp32", 1, "cpu")
FIRST, SECOND = Build(CASE), Build(CASE, is_second=True)
LONG_S = 60


class Pool:
    """Hosts whose builds last until they are let go, or until the pool is closed."""

    place = SimpleNamespace(cache="cache")

    def __init__(self):
        self.begun, self.end, self.is_closed = [], {}, Event()

    def let(self, build, ending):
        """Let a build end: with a result, or by raising an error."""
        self.end.setdefault(build.doing, Event()).ending = ending
        self.end[build.doing].set()

    def shared(self, engine):
        """Return the host of an engine."""
        assert engine == "compile"
        return self

    def call(self, operation, /, *, error, doing, **arguments):
        """Build."""
        assert (operation, error, arguments["cache"]) == ("engine.build", BuildError, "cache")
        self.begun.append(doing)
        ended = self.end.setdefault(doing, Event())
        while not ended.wait(0.01):
            if self.is_closed.is_set():
                raise BuildError(f"cannot {doing}", why="its host has gone", mend="")
        if isinstance(ended.ending, Exception):
            raise ended.ending
        return {"folder": ended.ending, "is_new": True, "notice": "", "content": ""}

    def close(self):
        """End what is being built."""
        self.is_closed.set()

    def wait_for(self, *builds):
        """Wait until exactly these were begun."""
        for _ in range(LONG_S * 100):
            if len(self.begun) == len(builds):
                break
            self.is_closed.wait(0.01)
        assert self.begun == [build.doing for build in builds]


@pytest.fixture
def pool():
    """The hosts of what builds ahead."""
    return Pool()


@pytest.fixture
def held():
    """Folders that are kept."""
    return []


@pytest.fixture
def ahead(pool, held):
    """The builder, which ends with the test."""
    made = BuildsAhead(lambda: pool, held.append)
    yield made
    made.close()


def asked(build):
    """Return a build with what it is made from, which nobody looks at here."""
    return Asked(build, "graph", "request")


def test_a_build_is_made_and_taken_once(ahead, pool, held):
    """Its folder is held; a second taker makes its own."""
    pool.let(FIRST, "folder")
    ahead.add(asked(FIRST))
    pool.wait_for(FIRST)
    assert ahead.take(FIRST, pytest.fail).folder == "folder"
    assert held == ["folder"]
    assert ahead.take(FIRST, pytest.fail) is None


def test_the_end_of_a_run_ends_the_builder(ahead, pool):
    """Its hosts with what they are at."""
    ahead.add(asked(FIRST))
    pool.wait_for(FIRST)
    ahead.close()
    assert pool.is_closed.is_set()
    assert ahead.take(FIRST, pytest.fail) is None


def test_whoever_waits_builds_what_comes_next(ahead, pool):
    """It gets what that is made from, and the build is there for its taker."""
    ahead.add(asked(FIRST))
    ahead.add(asked(SECOND))
    pool.wait_for(FIRST)

    def make(other):
        pool.let(FIRST, "first")
        return f"built of {other.graph}" if other == asked(SECOND) else None

    assert ahead.take(FIRST, make).folder == "first"
    assert ahead.take(SECOND, pytest.fail) == "built of graph"
    assert pool.begun == [FIRST.doing]


def test_a_pause_lets_builds_wait(ahead, pool):
    """None is begun in it."""
    pool.let(FIRST, "folder")
    with ahead.paused():
        ahead.add(asked(FIRST))
        assert not pool.is_closed.wait(0.1)
        assert pool.begun == []
    pool.wait_for(FIRST)


def test_without_builds_there_is_no_pool():
    """Nothing is started that nobody needs."""
    idle = BuildsAhead(lambda: pytest.fail("no pool is needed"), print)
    idle.plan([FIRST])
    with idle.paused():
        assert idle.take(FIRST, pytest.fail) is None
    idle.close()


def test_what_is_planned_of_a_model():
    """Each build once, in order, until it is taken."""
    other = Build(replace(CASE, model="other"))
    idle = BuildsAhead(lambda: pytest.fail("no pool is needed"), print)
    idle.plan([SECOND, other, FIRST, SECOND])
    assert idle.take_planned("net") == [SECOND, FIRST]
    assert idle.take_planned("net") == []
    assert idle.take_planned("other") == [other]


@pytest.mark.parametrize(
    ("changes", "config", "expected"),
    [
        ({}, {}, True),
        ({"engine": "tvm"}, {}, True),
        ({"engine": "ort"}, {}, False),
        ({"engine": "trt"}, {}, False),
        ({"device": "cuda:0"}, {}, False),
        ({"options": (("mode", "max-autotune"),)}, {}, False),
        ({}, {"hosts": {"compile": "inline"}}, False),
        ({}, {"hosts": {"ort": "inline"}}, True),
    ],
)
def test_what_is_made_ahead(monkeypatch, changes, config, expected):
    """Slow builds on this machine's CPU that time nothing."""
    monkeypatch.setattr(made_ahead.os, "sched_getaffinity", lambda _: {0, 1})
    build = Build(replace(CASE, **changes))
    assert is_made_ahead(build, InferConfig(**config)) is expected


def test_what_a_thorough_run_makes_ahead(monkeypatch):
    """Its second builds go into folders of their own; and on one core nothing is made ahead."""
    monkeypatch.setattr(made_ahead.os, "sched_getaffinity", lambda _: {0, 1})
    assert is_made_ahead(SECOND, InferConfig())
    assert not is_made_ahead(SECOND, InferConfig(thorough=True))
    assert is_made_ahead(FIRST, InferConfig(thorough=True))
    monkeypatch.setattr(made_ahead.os, "sched_getaffinity", lambda _: {0})
    assert not is_made_ahead(FIRST, InferConfig())
