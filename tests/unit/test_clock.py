"""Timing single calls on the CPU."""

from pytest_infer import clock
from pytest_infer.clock import clock_for, time_on_cpu, time_on_gpu


def test_each_call_is_timed(monkeypatch):
    """Every call has a duration of its own, and nothing between calls is in it."""
    readings = iter([100, 130, 1000, 1007])
    monkeypatch.setattr(clock, "perf_counter_ns", lambda: next(readings))
    called = []
    assert time_on_cpu(lambda: called.append(1), 2) == {"monotonic": [30, 7]}
    assert called == [1, 1]


def test_no_call():
    """Zero calls have zero durations."""
    assert time_on_cpu(int, 0) == {"monotonic": []}


def test_clock_of_a_device():
    """A GPU is timed by its own events, a CPU by the host's clock."""
    assert clock_for("cpu") is time_on_cpu
    assert clock_for("cuda:1") is time_on_gpu
