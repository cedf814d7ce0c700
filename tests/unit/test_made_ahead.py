"""What is made ahead is made once, in its turn, and beside everything but what pauses it."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer import made_ahead
from pytest_infer.activity import AHEAD, activity, going_on_beside, stop_watching, watch
from pytest_infer.errors import HostError
from pytest_infer.made_ahead import MadeAhead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONG_S = 60


class Maker:
    """Makes things that last until they are let go, or until everything is stopped."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.endings: dict[str, Any] = {}
        self.is_stopped = Event()
        self.changed = Event()

    def let(self, key: str, ending: Any) -> None:
        """Let a thing be made: be ``ending``, or fail with it."""
        self.endings[key] = ending

    def make(self, key: str) -> Any:
        """Make a thing."""
        with activity(f"make {key}", "make"):
            self.begun.append(key)
            while key not in self.endings:
                if self.is_stopped.wait(0.01):
                    raise HostError(f"cannot make {key}", why="it was stopped", mend="")
        ending = self.endings[key]
        if isinstance(ending, Exception):
            raise ending
        return ending

    def wait_for(self, *keys: str) -> None:
        """Wait until exactly these were begun."""
        for _ in range(LONG_S * 100):
            if len(self.begun) >= len(keys):
                break
            self.is_stopped.wait(0.01)
        assert self.begun == list(keys)


@pytest.fixture
def maker() -> Maker:
    """What makes things."""
    return Maker()


@pytest.fixture
def make(maker: Maker) -> Iterator[Callable[..., MadeAhead[str, Any]]]:
    """Return what is tested; it ends with the test."""
    made: list[MadeAhead[str, Any]] = []

    def call(**limits: float) -> MadeAhead[str, Any]:
        made.append(
            MadeAhead(
                "ahead",
                maker.make,
                doing=lambda key: f"make {key}",
                stop=maker.is_stopped.set,
                **limits,
            )
        )
        return made[-1]

    yield call
    for each in made:
        each.close()
        assert not each._thread or not each._thread.is_alive()


@pytest.fixture
def told() -> Iterator[list[Any]]:
    """What the run was said to wait for."""
    found: list[Any] = []

    def watcher(now: Any, _ended: Any) -> None:
        found.append(now)

    watch(watcher)
    yield found
    stop_watching(watcher)


def in_a_thread(call: Callable[[], Any]) -> tuple[list[Any], Thread]:
    """Return what a call returns, as a list that is empty until it has returned; and its thread."""
    found: list[Any] = []
    thread = Thread(target=lambda: found.append(call()), daemon=True)
    thread.start()
    return found, thread


def test_a_thing_is_made_and_taken_once(make, maker):
    """A second taker makes another."""
    ahead = make()
    maker.let("a", 1)
    ahead.add("a")
    maker.wait_for("a")
    assert ahead.take("a") == 1
    assert ahead.take("a") is None


def test_two_of_a_kind(make, maker):
    """Each taker gets one."""
    ahead = make()
    maker.let("a", 1)
    ahead.add("a", "a")
    maker.wait_for("a", "a")
    assert [ahead.take("a"), ahead.take("a"), ahead.take("a")] == [1, 1, None]


def test_one_that_is_being_made_is_waited_for(make, maker, told):
    """Whoever needs it waits, and says for what."""
    ahead = make()
    ahead.add("a")
    maker.wait_for("a")
    found, thread = in_a_thread(lambda: ahead.take("a"))
    thread.join(0.1)
    assert not found
    assert [(each.doing, each.kind) for each in told if each] == [("make a", AHEAD)]
    maker.let("a", 1)
    thread.join(LONG_S)
    assert found == [1]


def test_the_first_of_several_alike_is_enough():
    """Whoever waits for it does not wait for the next one, which is begun at once."""
    ends = [Event(), Event()]
    begun = [Event(), Event()]
    numbers = iter(range(2))

    def one(_key: str) -> int:
        number = next(numbers)
        begun[number].set()
        assert ends[number].wait(LONG_S)
        return number

    made = MadeAhead("ahead", one, doing=str, stop=ends[1].set)
    made.add("a", "a")
    assert begun[0].wait(LONG_S)
    found, taker = in_a_thread(lambda: made.take("a"))
    ends[0].set()
    taker.join(LONG_S)
    assert begun[1].wait(LONG_S)
    assert found == [0]
    made.close()


def test_whoever_waits_makes_what_comes_next(make, maker):
    """One after the other, until what it waits for is made; what fails is made by its taker."""
    ahead = make()
    ahead.add("a", "b", "broken", "c")
    maker.wait_for("a")
    helped = []

    def help_out(key: str) -> str:
        helped.append(key)
        if key == "broken":
            raise HostError("cannot make it", why="", mend="")
        if key == "c":
            maker.let("a", 1)
        return f"{key} by the one who waits"

    assert ahead.take("a", help_out) == 1
    assert helped == ["b", "broken", "c"]
    assert maker.begun == ["a"]
    assert ahead.take("b", pytest.fail) == "b by the one who waits"
    assert ahead.take("broken", pytest.fail) is None


def test_nobody_helps_who_does_not_wait(make, maker):
    """What is made already is taken, and what is not begun is left to its taker."""
    ahead = make()
    maker.let("a", 1)
    ahead.add("a", "b", "c")
    maker.wait_for("a", "b")
    assert ahead.take("a", pytest.fail) == 1
    assert ahead.take("c", pytest.fail) is None


def test_one_that_is_not_begun_is_left_to_its_taker(make, maker):
    """It is not made twice at the same time."""
    ahead = make()
    ahead.add("a", "b")
    maker.wait_for("a")
    assert ahead.take("b") is None
    maker.let("a", 1)
    assert ahead.take("a") == 1
    assert maker.begun == ["a"]


def test_one_that_is_put_back(make, maker):
    """It is made in its turn, unless it never had one, or has it now."""
    ahead = make()
    ahead.add("a", "b", "c")
    maker.wait_for("a")
    assert ahead.take("b") is None
    for key in ("b", "b", "a", "other"):
        ahead.put_back(key)
    for key in "abc":
        maker.let(key, key)
    maker.wait_for("a", "b", "c")


def test_what_nobody_has_taken_yet_is_limited(make, maker):
    """The next is begun when one of them is taken; what is none does not count."""
    ahead = make(most=2)
    for key, made in {"a": 1, "none": None, "b": 2, "c": 3, "d": 4}.items():
        maker.let(key, made)
    ahead.add("a", "none", "b", "c", "d")
    maker.wait_for("a", "none", "b")
    assert not maker.is_stopped.wait(0.1)
    maker.wait_for("a", "none", "b")
    assert ahead.take("a") == 1
    maker.wait_for("a", "none", "b", "c")
    assert ahead.take("none") is None


def test_nothing_is_made_beside_what_pauses_it(make, maker):
    """That waits for what is being made, and what comes next waits for that."""
    ahead = make()
    ahead.add("a", "b")
    maker.wait_for("a")
    begun, end = Event(), Event()

    def measure() -> None:
        with ahead.paused():
            begun.set()
            end.wait(LONG_S)

    _, thread = in_a_thread(measure)
    assert not begun.wait(0.1)
    maker.let("a", 1)
    assert begun.wait(LONG_S)
    maker.let("b", 2)
    thread.join(0.1)
    assert maker.begun == ["a"]
    end.set()
    maker.wait_for("a", "b")
    assert ahead.take("b") == 2


def test_one_that_fails_is_none(make, maker):
    """Its taker makes it again and says why; the next one is made."""
    ahead = make()
    maker.let("a", HostError("cannot make a", why="", mend=""))
    maker.let("b", 2)
    ahead.add("a", "b")
    maker.wait_for("a", "b")
    assert ahead.take("a") is None
    assert ahead.take("b") == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_the_machine_lacks_is_made_when_it_is_needed(make, maker):
    """Too many open files, or no room: the next one is made, and the thread goes on."""
    ahead = make()
    maker.let("a", OSError(24, "Too many open files"))
    maker.let("b", 2)
    ahead.add("a", "b")
    maker.wait_for("a", "b")
    assert ahead.take("a") is None
    assert ahead.take("b") == 2


def test_a_defect_of_ours_lets_nobody_wait(make, maker):
    """The thread ends; who waits for something makes it."""
    ahead = make()
    ahead.add("a", "b")
    maker.wait_for("a")
    found, thread = in_a_thread(lambda: ahead.take("a"))
    maker.let("a", RuntimeError("a defect"))
    thread.join(LONG_S)
    assert found == [None]
    with ahead.paused():
        assert ahead.take("b") is None


def test_the_end_of_a_run_waits_for_nothing(make, maker):
    """What is being made is stopped."""
    ahead = make()
    ahead.add("a")
    maker.wait_for("a")
    ahead.close()
    assert maker.is_stopped.is_set()
    assert ahead.take("a") is None


def test_what_cannot_be_stopped(monkeypatch):
    """The thread is left to the end of the process."""
    monkeypatch.setattr(made_ahead, "GIVE_UP_S", 0.1)
    begun, end = Event(), Event()

    def make(_key: str) -> None:
        begun.set()
        end.wait(LONG_S)

    ahead = MadeAhead("ahead", make, doing=str, stop=list)
    ahead.add("a")
    assert begun.wait(LONG_S)
    ahead.close()
    assert ahead._thread
    assert ahead._thread.is_alive()
    end.set()
    ahead._thread.join(LONG_S)
    assert not ahead._thread.is_alive()


def test_without_anything_to_make_there_is_no_thread(make):
    """Nothing is started that nobody needs."""
    idle = make()
    idle.add()
    with idle.paused():
        assert idle.take("a") is None
    assert idle._thread is None


def test_nobody_waits_for_what_goes_on_beside(make, maker, told):
    """It is shown apart from what the run waits for."""
    ahead = make()
    ahead.add("a")
    maker.wait_for("a")
    beside = going_on_beside()
    assert beside
    assert beside.doing == "make a"
    assert told == []
    maker.let("a", 1)
    ahead.close()
    assert going_on_beside() is None
