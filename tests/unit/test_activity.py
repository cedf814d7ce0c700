"""What goes on is known to those who watch, from its beginning to its end."""

from threading import Thread

import pytest

from pytest_infer.activity import (
    START,
    WAIT,
    activity,
    beside,
    going_on_beside,
    is_beside,
    stop_watching,
    watch,
)


@pytest.fixture
def seen():
    """What a watcher was called with: what goes on, and what has ended."""
    found = []

    def watcher(now, ended):
        found.append((now and now.doing, ended and ended.doing))

    watch(watcher)
    yield found
    stop_watching(watcher)


def test_begin_and_end(seen):
    """Both are seen, and what goes on around it is back after it."""
    with activity("build a", "build"), activity("start b", START):
        pass
    assert seen == [
        ("build a", None), ("start b", None), ("build a", "start b"), (None, "build a"),
    ]  # fmt: skip


def test_an_error_is_an_end(seen):
    """What failed goes on no longer."""
    with pytest.raises(ValueError), activity("build a", "build"):  # noqa: PT011 - any will do
        raise ValueError
    assert seen[-1] == (None, "build a")


def test_two_threads(seen):
    """What ends first was begun first here: the other one goes on."""
    first, second = activity("open a", "open"), activity("open b", "open")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert seen[-1] == ("open b", "open a")
    second.__exit__(None, None, None)
    assert seen[-1] == (None, "open b")


def test_nobody_has_to_watch():
    """Without a watcher nothing happens."""
    with activity("build a", "build"):
        pass


def test_what_nobody_waits_for(seen):
    """It is known by itself, the outermost first, and only while it goes on."""
    with beside(), activity("build a", "build"), activity("wait for b", WAIT):
        assert going_on_beside().doing == "build a"
    assert going_on_beside() is None
    assert seen == []
    with activity("build c", "build"):
        assert going_on_beside() is None
    assert seen == [("build c", None), (None, "build c")]


def test_beside_is_of_one_thread(seen):
    """Meanwhile the others are waited for as ever."""
    with beside():
        thread = Thread(target=test_nobody_has_to_watch)
        thread.start()
        thread.join()
        assert is_beside()
    assert not is_beside()
    assert seen == [("build a", None), (None, "build a")]
