"""Each device has one lock, whose name all runs on this machine use."""

from contextlib import ExitStack

from pytest_infer.config import InferConfig
from pytest_infer.hosts.place import Place
from pytest_infer.session import device_locks
from pytest_infer.session.device_locks import DeviceLocks

HERE = Place("laptop-00000000", (), "/cache", sees_files=True)
THERE = Place("jetson-1f2e3d4c", ("GPU-1",), "/cache", sees_files=False)


def test_locks(monkeypatch):
    """A measurement holds each device it uses, there by the machine's name, in one order."""
    config, held = InferConfig(), []

    class Lock:
        def __init__(self, _, name, limit_s):
            assert limit_s == config.timeout_s
            self._name = name

        def exclusive(self):
            held.append(self._name)
            return ExitStack()

        shared = exclusive

        def touch(self):
            held.append(f"{self._name} goes on")

    monkeypatch.setattr(device_locks, "DeviceLock", Lock)
    monkeypatch.setattr(device_locks, "machine", lambda: HERE.machine)
    locks = DeviceLocks(config)
    with locks.exclusive([THERE, HERE, HERE]):
        assert held == ["cpu", "jetson-1f2e3d4c-GPU-1"]
        with locks.shared_unless_held(HERE):
            assert held == ["cpu", "jetson-1f2e3d4c-GPU-1"]
    assert locks.is_among(HERE, [THERE, HERE])
    assert not locks.is_among(HERE, [THERE])
    with locks.shared(THERE):
        assert held[2:] == ["jetson-1f2e3d4c-GPU-1"]
    with locks.going_on(THERE):
        assert held[3:] == ["jetson-1f2e3d4c-GPU-1 goes on"]
    with locks.shared_unless_held(HERE):
        assert held[4:] == ["cpu"]
