"""What a run is waiting for is shown: its own process, and its workers."""

import json
from types import SimpleNamespace

import pytest

from pytest_infer.activity import AHEAD, Activity, activity, beside
from pytest_infer.plugin import progress as module
from pytest_infer.plugin.progress import FOLDER, OUTPUT, Progress

NOW = 1_000_000.0


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that stands still."""
    monkeypatch.setattr(module, "time", lambda: NOW)


def config(**fields):
    """Return a config without a cache."""
    return SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=lambda _: None), **fields)


def test_a_line_says_what_since_when_and_how_long_before():
    """Minutes are written as people read them."""
    shown = Progress(config())
    shown._count, shown._total = 12, 57
    shown._past = {"build toy": 20.4}
    parts = [
        ("gw0 ", Activity("build toy", NOW - 75)),
        ("gw1 ", Activity("open\nother", NOW - 3)),
    ]
    assert shown._told(parts) == (
        "12 of 57: gw0 build toy, 1:15 min (20 s last time) | gw1 open other, 3 s"
    )


def test_a_worker_writes_what_it_does(tmp_path):
    """The controller reads it; what took long goes with the worker's output."""
    worker = Progress(config(workerinput={FOLDER: str(tmp_path), "workerid": "gw3"}))
    worker._changed(Activity("build toy", NOW), None)
    assert json.loads((tmp_path / "gw3").read_text()) == ["build toy", NOW]
    worker._changed(None, Activity("build toy", NOW - 5))
    assert json.loads((tmp_path / "gw3").read_text()) is None
    worker._config.workeroutput = {}
    worker.pytest_sessionfinish()
    assert worker._config.workeroutput == {OUTPUT: {"build toy": 5.0}}


def test_the_controller_reads_its_workers():
    """A file that is being written, or that is none of a worker's, is nothing."""
    controller = Progress(config())
    node = SimpleNamespace(workerinput={})
    controller.pytest_configure_node(node)
    folder = controller._folder
    assert node.workerinput == {FOLDER: folder.name}
    for name, text in [("gw0", '["build toy", 5.0]'), ("gw1", "null"), ("gw2", "["), ("x", "[]")]:
        (module.Path(folder.name) / name).write_text(text)
    assert list(controller._activities()) == [("gw0 ", Activity("build toy", 5.0))]
    controller.pytest_sessionfinish()
    assert not module.Path(folder.name).exists()


def test_what_is_built_ahead_is_shown_beside():
    """It comes after what the run waits for."""
    progress = Progress(config())
    progress._own = Activity("run toy", NOW)
    with beside(), activity("build toy", "engine.build"):
        found = [(name, each.doing) for name, each in progress._activities()]
        progress._own = Activity("build toy", NOW, AHEAD)
        waited = [(name, each.doing) for name, each in progress._activities()]
    assert found == [("", "run toy"), ("ahead: ", "build toy")]
    assert waited == [("ahead: ", "build toy")]
    assert [name for name, _ in progress._activities()] == [""]


def test_after_the_end_nobody_watches():
    """A host that is closed later is not the run's matter."""
    progress = Progress(config())
    progress.pytest_sessionstart()
    progress.pytest_sessionfinish()
    with activity("build toy", "engine.build"):
        assert progress._own is None
