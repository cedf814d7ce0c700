"""One measurement of bound calls: on this CPU, and on a double of a GPU."""

from math import log

import pytest

from pytest_infer.timing import interleaved
from pytest_infer.timing.interleaved import measure


def test_a_cpu_is_measured_beside_numpy():
    """As many rounds as are asked for count, as they come; the load is noted."""
    found = measure({"engine": lambda: sum(range(999)), "reference": int}, "cpu", rounds=5)
    assert (found.kept, found.dropped) == (5, {})
    assert found.enqueue_share is None
    assert found.environment["load"] >= 0


def test_a_duet_on_a_cpu_is_longer(monkeypatch):
    """With the stored artefact beside it, twice as many clean seconds count."""
    plans = []

    def timed(arms, _watch, plan, _order):
        plans.append((sorted(arms), plan.clean_s))
        return ()

    monkeypatch.setattr(interleaved, "time_rounds", timed)
    for names in (["engine", "reference"], ["engine", "reference", "stored"]):
        measure(dict.fromkeys(names, int), "cpu")
    measure(dict.fromkeys(names, int), "cpu", rounds=5)
    assert plans == [
        (["engine", "fixed", "reference"], 1.5),
        (["engine", "fixed", "reference", "stored"], 3.0),
        (["engine", "fixed", "reference", "stored"], 0),
    ]


class Watch:
    """Sees nothing on the device."""

    def __init__(self, device):
        assert device == "cuda:1"

    def mark(self):
        """Return nothing."""

    def disturbance(self, since, wall_ns):
        """Return nothing."""
        assert since is None
        assert wall_ns >= 0

    def report(self):
        """Return what was known in the end."""
        return {"sm_clock_mhz": 1980}


@pytest.fixture
def probes(monkeypatch):
    """Let engines take as long as they return, in us, and the probe 200 us."""

    def timed(device, call, calls):
        assert device == "cuda:1"
        event = call() * 1000
        return {"cuda-event": [event] * calls, "enqueue": [event // 4] * calls}

    monkeypatch.setattr(interleaved, "time_on_gpu", timed)
    monkeypatch.setattr(interleaved, "clock_probe", lambda _: lambda: 200_000)
    monkeypatch.setattr(interleaved, "GpuWatch", Watch)


@pytest.mark.usefixtures("probes")
def test_a_gpu_is_measured_beside_its_clock():
    """The engine's share of launches and the state of the GPU are reported."""
    found = measure({"engine": lambda: 8000, "reference": lambda: 4000}, "cuda:1")
    assert found.theta == pytest.approx(log(2))
    assert found.enqueue_share == pytest.approx(0.25)
    assert found.environment == {"sm_clock_mhz": 1980}
    assert (found.kept, found.dropped) == (12, {})
