"""What a run's time goes into: each moment counts once, for the innermost activity."""

from types import SimpleNamespace

import pytest

from pytest_infer.activity import START, WAIT, activity
from pytest_infer.plugin import durations as module
from pytest_infer.plugin.durations import COLLECT, IMPORT, KINDS, OTHER, OUTPUT, REST, TimeSpent
from pytest_infer.reports.durations import Durations


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by one second each time that it is looked at."""
    seconds = iter(range(1000))
    monkeypatch.setattr(module, "perf_counter", lambda: float(next(seconds)))


def spent(config):
    """Return what a run spends that builds one engine, waits meanwhile, and asks something."""
    found = TimeSpent(config)
    found.pytest_sessionstart()
    found.pytest_collection()
    found.pytest_collection_finish()
    with activity("build toy", "engine.build"), activity("wait for cpu", WAIT):
        pass
    with activity("look", "engine.evidence"):
        pass
    found.pytest_sessionfinish()
    return found


@pytest.mark.usefixtures("clock")
def test_every_second_counts_once():
    """One second to each step of the clock."""
    found = spent(SimpleNamespace())
    assert found._spent_s == {
        IMPORT: 1, COLLECT: 1, REST: 3, KINDS["engine.build"]: 2, KINDS[WAIT]: 1, OTHER: 1,
    }  # fmt: skip
    assert sum(found._spent_s.values()) == found._since_s
    assert found._calls == {KINDS["engine.build"]: 1, KINDS[WAIT]: 1, OTHER: 1}
    assert found._longest == {"build toy": 1, "wait for cpu": 1, "look": 1}


@pytest.mark.usefixtures("clock")
def test_workers_are_added_up():
    """The controller has waited for them: its rest is not work."""
    node = SimpleNamespace(workeroutput={})
    spent(node)
    controller = TimeSpent(SimpleNamespace())
    for each in (node, node, SimpleNamespace()):
        controller.pytest_testnodedown(each)
    controller.pytest_sessionfinish()
    assert controller._workers == 2
    assert controller._spent_s[KINDS["engine.build"]] == 4
    lines = []
    controller.pytest_terminal_summary(
        SimpleNamespace(section=lines.append, write_line=lines.append)
    )
    assert "s of 2 workers" in lines[1]
    assert controller._spent_s[IMPORT] == 2


@pytest.mark.usefixtures("clock")
def test_nothing_is_watched_any_more():
    """A run within a process that goes on leaves nothing."""
    found = spent(SimpleNamespace())
    before = dict(found._spent_s)
    with activity("later", START):
        pass
    assert found._spent_s == before


def test_a_worker_hands_over_plain_values():
    """Which execnet carries."""
    worker = SimpleNamespace(workeroutput={})
    spent(worker)
    given = worker.workeroutput[OUTPUT]
    assert {type(each) for each in given.values()} == {dict}


def test_text():
    """The most first; the longest waits by name; what took no time is left out."""
    text = Durations(
        {"build": 6.0, "infer": 2.0, "ask": 0.01}, {"build": 3}, {"build a\n": 4.0, "b": 1.0}, 9.0
    ).text()
    lines = [line.split() for line in text.splitlines() if line.strip()]
    assert lines[0] == ["9.0", "s", "in", "all"]
    assert ["build", "6.0", "75%", "3"] in lines
    assert ["infer", "2.0", "25%"] in lines
    assert not any(line[0] == "ask" for line in lines)
    assert lines[-2][0] == "4.0"
    assert len(lines) == 8
