"""What a host measures of an opened engine, on a clock and copies that are not real."""

import numpy as np
import pytest

from pytest_infer.devices.cpu_watch import CpuWatch
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.hosts import engine_operations
from pytest_infer.hosts.engine_operations import EngineOperations, _Opened
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

FEEDS = {"x": np.ones(3, np.float32)}
SPEC = ModelSpec(
    "toy", "tensor", {"x": TensorSpec((3,))}, {"y": TensorSpec((3,))}, Source(module="toy")
)


class Runner:
    """Notes what it is asked."""

    def __init__(self):
        self.asked = []

    def infer(self, feeds):
        """Return the feeds as outputs."""
        self.asked.append("infer")
        return {"y": feeds["x"]}

    def bind(self, feeds):
        """Return a call on the feeds."""
        assert feeds is FEEDS
        return lambda: self.asked.append("call")


@pytest.fixture
def opened(monkeypatch):
    """Open a runner on a device; its clock counts calls instead of time."""

    def clock_for(device, *, cold_l2=False):
        def timed(call, calls):
            for _ in range(calls):
                call()
            events = [2 if cold_l2 else 1] * calls
            cpu = {"monotonic": [9] * calls}
            return cpu if device == "cpu" else {"cuda-event": events, **cpu, "enqueue": [4] * calls}

        return timed

    def transfers(feeds, outputs, device):
        assert (list(feeds), list(outputs), device) == (["x"], ["y"], "cuda:0")
        return {name: lambda: None for name in ("h2d_pinned", "d2h_pageable")}

    monkeypatch.setattr(engine_operations, "clock_for", clock_for)
    monkeypatch.setattr(engine_operations, "transfers", transfers)

    def call(device):
        operations, runner = EngineOperations(), Runner()
        request = BuildRequest("fp32", device, SPEC.input_shapes(1))
        built = BuiltEngine("toy", Graph(SPEC, "", "digest", GraphRequest("module")), request, "")
        operations._opened[1] = _Opened(runner, built, 0.0, int)
        operations.bind(1, FEEDS)
        return operations, runner

    return call


def test_time(opened):
    """A cold clock is another one than a warm one."""
    operations, runner = opened("cuda:0")
    assert operations.time(1, 2)["cuda-event"] == [1, 1]
    assert operations.time(1, 1, cold_l2=True)["cuda-event"] == [2]
    assert runner.asked == ["call"] * 3


def test_split_on_a_gpu(opened):
    """Computation, enqueueing, the whole round trip and each copy, as many times each."""
    operations, runner = opened("cuda:0")
    parts = operations.split(1, FEEDS, 2)
    assert {name: len(values) for name, values in parts.items()} == dict.fromkeys(
        ("cuda-event", "enqueue", "round_trip", "h2d_pinned", "d2h_pageable"), 2
    )
    assert runner.asked == ["call"] * 2 + ["infer"] * 3


def test_split_on_a_cpu(opened):
    """There is the call alone, by the host's clock."""
    operations, runner = opened("cpu")
    assert operations.split(1, FEEDS, 2) == {"monotonic": [9, 9]}
    assert runner.asked == ["call"] * 2


def test_look_without_bound_outputs(opened):
    """An engine that cannot show them is asked once more."""
    operations, runner = opened("cpu")
    found = operations.look(1)
    assert (found.timed, found.after["y"].tolist()) == (None, [1, 1, 1])
    assert runner.asked == ["infer"]


def test_look(opened, monkeypatch):
    """What the bound call puts out comes first: `infer` may overwrite it."""

    def bound_outputs(_, call):
        call()
        return {"y": np.zeros(3)}

    monkeypatch.setattr(Runner, "bound_outputs", bound_outputs, raising=False)
    operations, runner = opened("cuda:0")
    found = operations.look(1)
    assert found.timed["y"].tolist() == [0, 0, 0]
    assert runner.asked == ["call", "infer"]


def test_block(opened):
    """A turn has the CPU time beside the host's clock, and what disturbed it."""
    operations, runner = opened("cpu")
    asked = []

    class Watch(CpuWatch):
        def disturbance(self, since, wall_ns):
            asked.append(since is not None and wall_ns > 0)
            return "neighbour"

        def waited_ns(self, since):
            return 7 if since else 0

    operations._opened[1].watch = Watch()
    found = operations.block(1, 3)
    assert (found.disturbance, found.waited_ns, asked) == ("neighbour", 7, [True])
    assert {name: len(each) for name, each in found.durations_ns.items()} == {
        "monotonic": 3,
        "cpu": 3,
    }
    assert runner.asked == ["call"] * 3


def test_calls_with_copies(opened, monkeypatch):
    """On a GPU a call lies between the copies, by the host's clock; buffers are made once."""
    monkeypatch.setattr(
        engine_operations,
        "round_trip",
        lambda call, copies, device: lambda: (sorted(copies), device, call()),
    )
    operations, runner = opened("cuda:0")
    assert set(operations.time(1, 2, copies=True)) == {"monotonic"}
    operations.time(1, 3, copies=True)
    assert runner.asked == ["infer"] + ["call"] * (1 + 2 + 3)
    operations.bind(1, FEEDS)
    operations.time(1, 1, copies=True)
    assert runner.asked[-3:] == ["infer", "call", "call"]


def test_copies_on_a_cpu(opened):
    """There is nothing to copy: it is the same call."""
    operations, runner = opened("cpu")
    assert operations.time(1, 2, copies=True)["monotonic"] == [9, 9]
    assert runner.asked == ["call", "call"]
