"""What is built ahead is built once, and beside everything but a measurement."""

from dataclasses import replace
from threading import Event, Thread
from types import SimpleNamespace

import pytest

from pytest_infer.activity import AHEAD, activity, going_on_beside, stop_watching, watch
from pytest_infer.case import Case
from pytest_infer.config import InferConfig
from pytest_infer.errors import BuildError
from pytest_infer.session import builds_ahead
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
        with activity(doing, operation):
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
    """The hosts of what is built ahead."""
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
    assert not made._thread or not made._thread.is_alive()


@pytest.fixture
def told():
    """What the run was said to wait for."""
    found = []

    def watcher(now, _ended):
        found.append(now)

    watch(watcher)
    yield found
    stop_watching(watcher)


def asked(build):
    """Return a build with what it is made from, which nobody looks at here."""
    return Asked(build, "graph", "request")


def in_a_thread(call):
    """Return what a call returns, as a list that is empty until it has returned; and its thread."""
    found = []
    thread = Thread(target=lambda: found.append(call()), daemon=True)
    thread.start()
    return found, thread


def test_a_build_is_made_and_taken_once(ahead, pool, held):
    """Its folder is held; a second taker makes its own."""
    pool.let(FIRST, "folder")
    ahead.add(asked(FIRST))
    pool.wait_for(FIRST)
    assert ahead.take(FIRST).folder == "folder"
    assert held == ["folder"]
    assert ahead.take(FIRST) is None


def test_one_that_is_being_made_is_waited_for(ahead, pool, told):
    """Whoever needs it waits, and says for what."""
    ahead.add(asked(FIRST))
    pool.wait_for(FIRST)
    found, thread = in_a_thread(lambda: ahead.take(FIRST))
    thread.join(0.1)
    assert not found
    assert [(each.doing, each.kind) for each in told if each] == [(FIRST.doing, AHEAD)]
    pool.let(FIRST, "folder")
    thread.join(LONG_S)
    assert found[0].folder == "folder"


def test_one_that_is_not_begun_is_left_to_its_taker(ahead, pool):
    """It is not built twice at the same time."""
    ahead.add(asked(FIRST))
    pool.wait_for(FIRST)
    ahead.add(asked(SECOND))
    assert ahead.take(SECOND) is None
    pool.let(FIRST, "folder")
    assert ahead.take(FIRST)
    assert pool.begun == [FIRST.doing]


def test_nothing_is_built_beside_a_measurement(ahead, pool):
    """It waits for what is being built, and what comes next waits for it."""
    ahead.add(asked(FIRST))
    ahead.add(asked(SECOND))
    pool.wait_for(FIRST)
    begun, end = Event(), Event()

    def measure():
        with ahead.paused():
            begun.set()
            end.wait(LONG_S)

    _, thread = in_a_thread(measure)
    assert not begun.wait(0.1)
    pool.let(FIRST, "folder")
    assert begun.wait(LONG_S)
    pool.let(SECOND, "second")
    thread.join(0.1)
    assert pool.begun == [FIRST.doing]
    end.set()
    pool.wait_for(FIRST, SECOND)
    assert ahead.take(SECOND).folder == "second"


def test_a_build_that_fails_is_none(ahead, pool):
    """Its test makes it again and says why; the next one is made."""
    pool.let(FIRST, BuildError("cannot build", why="", mend=""))
    pool.let(SECOND, "second")
    ahead.add(asked(FIRST))
    ahead.add(asked(SECOND))
    pool.wait_for(FIRST, SECOND)
    assert ahead.take(FIRST) is None
    assert ahead.take(SECOND).folder == "second"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_of_ours_lets_nobody_wait(ahead, pool):
    """The thread ends; who waits for its build makes it."""
    ahead.add(asked(FIRST))
    pool.wait_for(FIRST)
    found, thread = in_a_thread(lambda: ahead.take(FIRST))
    pool.let(FIRST, RuntimeError("a defect"))
    thread.join(LONG_S)
    assert found == [None]
    with ahead.paused():
        assert ahead.take(SECOND) is None


def test_the_end_of_a_run_waits_for_no_build(ahead, pool):
    """Its host is ended."""
    ahead.add(asked(FIRST))
    pool.wait_for(FIRST)
    ahead.close()
    assert pool.is_closed.is_set()
    assert ahead.take(FIRST) is None


def test_without_builds_there_is_no_thread():
    """Nothing is started that nobody needs."""
    idle = BuildsAhead(lambda: pytest.fail("no pool is needed"), print)
    idle.plan([FIRST])
    with idle.paused():
        assert idle.take(FIRST) is None
    idle.close()


def test_what_is_planned_of_a_model():
    """Each build once, in order, until it is taken."""
    other = Build(replace(CASE, model="other"))
    idle = BuildsAhead(lambda: pytest.fail("no pool is needed"), print)
    idle.plan([SECOND, other, FIRST, SECOND])
    assert idle.take_planned("net") == [SECOND, FIRST]
    assert idle.take_planned("net") == []
    assert idle.take_planned("other") == [other]


def test_nobody_waits_for_what_goes_on_beside(ahead, pool, told):
    """It is shown apart from what the run waits for."""
    ahead.add(asked(FIRST))
    pool.wait_for(FIRST)
    assert going_on_beside().doing == FIRST.doing
    assert told == []
    pool.let(FIRST, "folder")
    ahead.close()
    assert going_on_beside() is None


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
    monkeypatch.setattr(builds_ahead.os, "sched_getaffinity", lambda _: {0, 1})
    build = Build(replace(CASE, **changes))
    assert is_made_ahead(build, InferConfig(**config)) is expected


def test_what_a_thorough_run_makes_ahead(monkeypatch):
    """Its second builds go into folders of their own; and on one core nothing is made ahead."""
    monkeypatch.setattr(builds_ahead.os, "sched_getaffinity", lambda _: {0, 1})
    assert is_made_ahead(SECOND, InferConfig())
    assert not is_made_ahead(SECOND, InferConfig(thorough=True))
    assert is_made_ahead(FIRST, InferConfig(thorough=True))
    monkeypatch.setattr(builds_ahead.os, "sched_getaffinity", lambda _: {0})
    assert not is_made_ahead(FIRST, InferConfig())
