"""What is made ahead while a run has devices for itself, with a thread and locks that are real."""

from contextlib import contextmanager
from threading import Event, Timer
from types import SimpleNamespace

import pytest

from pytest_infer.made_ahead import MadeAhead
from pytest_infer.session.held_devices import HeldDevices

WAIT_S = 60


class Locks:
    """One device, here or elsewhere; whoever takes or frees it must find nothing being made."""

    def __init__(self, run, *, is_here):
        self.run, self.is_here, self.told = run, is_here, []

    def is_among(self, _here, _places):
        """Return whether the device that is held is the one here."""
        return self.is_here

    @contextmanager
    def exclusive(self, places):
        """Hold it."""
        self.told.append(("taken", places, self.run.is_making))
        yield
        self.told.append(("free", places, self.run.is_making))


class Run:
    """Makes hosts ahead, slowly, and holds a device."""

    def __init__(self, *, is_here=True):
        self.locks = Locks(self, is_here=is_here)
        self.begun, self.may_end, self.is_making = Event(), Event(), False
        self.ahead = MadeAhead("test", self.make, doing=str, stop=self.may_end.set)
        hosts = SimpleNamespace(paused=self.ahead.paused, here="here", place=lambda name: name)
        builds = MadeAhead("builds", str, doing=str, stop=lambda: None)
        self.devices = HeldDevices(self.locks, lambda: builds, lambda: hosts)

    def make(self, key):
        """Make a host, as long as it may not end."""
        self.is_making = True
        self.begun.set()
        assert self.may_end.wait(WAIT_S)
        self.is_making = False
        return key


@pytest.fixture
def run():
    """Make a run, and end its thread."""
    made = []

    def new(**options):
        made.append(Run(**options))
        return made[-1]

    yield new
    for each in made:
        each.ahead.close()


def test_hosts_are_started_until_it_is_quiet(run):
    """Who times waits for the one that is being started, and no other one is until the end."""
    here = run()
    with here.devices.held(["trt"]) as be_quiet:
        here.ahead.add("first", "second")
        assert here.begun.wait(WAIT_S)
        here.may_end.set()
        be_quiet()
        assert not here.is_making
        here.begun.clear()
        here.ahead.add("third")
        assert not here.begun.wait(0.2)
    assert here.locks.told == [("taken", ["trt"], False), ("free", ["trt"], False)]
    assert here.begun.wait(WAIT_S)


def test_the_device_is_taken_when_nothing_is_being_started(run):
    """What starts a host holds the device with others, and this run would wait for itself."""
    here = run()
    here.ahead.add("first")
    assert here.begun.wait(WAIT_S)
    Timer(0.1, here.may_end.set).start()
    with here.devices.held(["trt"]):
        assert here.locks.told == [("taken", ["trt"], False)]


def test_the_device_is_not_freed_while_a_host_is_started(run):
    """An error before anything was timed: another run may measure as soon as it is free."""
    here = run()

    def fail():
        with here.devices.held(["trt"]):
            here.ahead.add("first")
            assert here.begun.wait(WAIT_S)
            here.may_end.set()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert here.locks.told[-1] == ("free", ["trt"], False)


@pytest.mark.parametrize("way", ["held elsewhere", "alone"])
def test_nothing_is_started(run, way):
    """Where another device is held, whose lock says nothing of this one, and for a build."""
    here = run(is_here=way == "alone")
    hold = here.devices.alone if way == "alone" else here.devices.held
    with hold(["trt"]):
        here.ahead.add("first")
        assert not here.begun.wait(0.2)
    assert here.begun.wait(WAIT_S)
    here.may_end.set()
