"""How pairs of processes are measured, on hosts that are not real."""

from contextlib import contextmanager
from math import log
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_infer.case import Case
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.session.gate_timer import Setting
from pytest_infer.session.pair_timer import Arm, PairTimer
from pytest_infer.timing.pair import NEW, OLD
from pytest_infer.timing.rounds import Plan

MS = 1_000_000
CASE = Case("toy", "ort", "fp32", 1, "cpu")
BUILT = BuiltEngine("ort", None, BuildRequest("fp32", "cpu", {}), "")
FEEDS = {"x": np.zeros((1, 3))}
ANSWER = {"y": np.zeros(3)}


class Hosts:
    """The hosts of one environment, in which a call takes a fixed time."""

    def __init__(self, wall_ms, cpu_ms=None, disturbance=""):
        self.wall_ns, self.cpu_ns = wall_ms * MS, (cpu_ms or wall_ms) * MS
        self.disturbance, self.cores, self.started = disturbance, [], []

    @contextmanager
    def fresh(self, engine, threads):
        """Start a host."""
        self.started.append((engine, threads))
        yield self

    def call(self, operation, /, **arguments):
        """Return what a host would."""
        if operation == "host.stay_on":
            self.cores.append(arguments["core"])
        if operation == "engine.block":
            calls = arguments["calls"]
            durations = {"monotonic": [self.wall_ns] * calls, "cpu": [self.cpu_ns] * calls}
            return {"durations_ns": durations, "disturbance": self.disturbance, "waited_ns": 0}
        return {
            "host.quietest_core": 1,
            "engine.open": 1,
            "engine.infer": ANSWER,
            "engine.look": {"timed": None, "after": ANSWER},
            "engine.resources": {"load_s": 0.5},
        }.get(operation)


def measured(new, old, threads=1, rounds=6):
    """Return the pair of two environments."""
    held = []

    @contextmanager
    def exclusive(engines):
        held.append(engines)
        yield

    setting = Setting("monotonic", threads=threads, cores=2, rounds=rounds)
    timer = PairTimer(exclusive, lambda _: setting)
    pair = timer(CASE, {NEW: Arm(new, BUILT), OLD: Arm(old, BUILT)}, FEEDS)
    assert held == [["ort"]]
    return pair


@pytest.fixture(autouse=True)
def adapter(monkeypatch):
    """Let the engine have a setting of threads."""
    monkeypatch.setattr(
        "pytest_infer.session.gate_timer.engines.find", lambda _: SimpleNamespace(options={})
    )


def test_by_cpu_time():
    """One thread that only computes is timed by its CPU time, on one core for both processes."""
    new, old = Hosts(11), Hosts(10)
    pair = measured(new, old)
    assert pair.change == pytest.approx(log(1.1))
    assert (pair.clock, pair.kept, pair.new_ms, pair.old_ms) == ("cpu", 6, 11, 10)
    assert (new.cores, old.cores) == ([1], [1])
    assert (new.started, old.started) == ([("ort", 1)], [("ort", 1)])
    assert pair.resources == {NEW: {"load_s": 0.5}, OLD: {"load_s": 0.5}}
    assert len(pair.looks) == 2


def test_by_the_hosts_clock():
    """Both are timed by the host's clock if one waits for anything but a core."""
    pair = measured(Hosts(20, cpu_ms=10), Hosts(10))
    assert (pair.clock, pair.change) == ("monotonic", pytest.approx(log(2)))


def test_several_threads():
    """They keep their cores, and the host's clock."""
    new, old = Hosts(11), Hosts(10)
    pair = measured(new, old, threads=0)
    assert (pair.clock, new.cores, old.cores) == ("monotonic", [], [])


def test_disturbed_rounds_count(monkeypatch):
    """What disturbed a turn of either process is reported, and the round counts on a CPU."""
    plan = Plan(block_s=0, block_calls=1, most_s=0.05, least_warmup_s=0, most_warmup_s=0)
    monkeypatch.setattr("pytest_infer.session.pair_timer.CPU_PAIR_PLAN", plan)
    pair = measured(Hosts(10), Hosts(10, disturbance="neighbour"), rounds=0)
    assert pair.kept == pair.disturbed["neighbour"] > 0
