"""Timing single calls on the CPU, and on a double of a GPU."""

import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from pytest_infer.errors import TimingError
from pytest_infer.timing import clock
from pytest_infer.timing.clock import (
    EMPTY_PAIRS,
    PROBE_CYCLES,
    clock_for,
    clock_probe,
    time_on_cpu,
    time_on_gpu,
)


def test_each_call_is_timed(monkeypatch):
    """Every call has its duration, and nothing between calls is in it."""
    readings = iter([100, 130, 1000, 1007])
    monkeypatch.setattr(clock, "perf_counter_ns", lambda: next(readings))
    called = []
    assert time_on_cpu(lambda: called.append(1), 2) == {"monotonic": [30, 7]}
    assert called == [1, 1]


def test_no_call():
    """Zero calls have zero durations."""
    assert time_on_cpu(int, 0) == {"monotonic": []}


def test_clock_of_a_device():
    """A CPU is timed by the host's clock, whatever is asked of a cache that it has not."""
    assert clock_for("cpu") is clock_for("cpu", cold_l2=True) is time_on_cpu


class Gpu:
    """A double of torch.cuda whose work takes as long as it says, on one clock with the host's.

    ``asked`` holds what was enqueued, in order. The host needs 100 ns to enqueue anything.
    """

    def __init__(self):
        self.now_ns, self.free_ns, self.asked = 0, 0, []

    def enqueue(self, name, duration_ns=0):
        """Enqueue work; it begins when the device is free."""
        self.now_ns += 100
        self.free_ns = max(self.free_ns, self.now_ns) + duration_ns
        self.asked.append(name)
        return self.free_ns

    def wait(self):
        """Let the host wait for the device."""
        self.now_ns = max(self.now_ns, self.free_ns)

    def module(self):
        """Return what stands for torch."""
        gpu = self

        class Event:
            def __init__(self, *, enable_timing):
                assert enable_timing

            def record(self):
                self.at_ns = gpu.enqueue("event")

            def synchronize(self):
                gpu.wait()

            def elapsed_time(self, stop):
                return (stop.at_ns - self.at_ns) / 1_000_000

        stream = SimpleNamespace(wait_stream=lambda _: None, synchronize=gpu.wait)
        cuda = SimpleNamespace(
            Event=Event,
            Stream=lambda _: stream,
            current_stream=lambda: stream,
            current_device=lambda: 0,
            device=lambda device: gpu.within(f"device {device}"),
            stream=lambda _: nullcontext(),
            get_device_properties=lambda _: SimpleNamespace(L2_cache_size=50),
            _sleep=lambda cycles: gpu.enqueue(f"sleep {cycles}", cycles // 2),
        )
        return SimpleNamespace(cuda=cuda, empty=self.buffer, uint8="uint8")

    def within(self, name):
        """Note that something is the current one."""
        self.asked.append(name)
        return nullcontext()

    def buffer(self, size, *, dtype, device):
        """Return memory that can be overwritten, 10 ns a byte."""
        self.asked.append(f"{size} {dtype} on {device}")
        return SimpleNamespace(zero_=lambda: self.enqueue("overwrite", 10 * size))


@pytest.fixture
def gpu(monkeypatch):
    """A GPU for the clock alone."""
    gpu = Gpu()
    monkeypatch.setitem(sys.modules, "torch", gpu.module())
    monkeypatch.setattr(clock, "perf_counter_ns", lambda: gpu.now_ns)
    for cached in (clock.stream_on, clock._l2_buffer, clock._pair_ns):
        cached.cache_clear()
    yield gpu
    for cached in (clock.stream_on, clock._l2_buffer, clock._pair_ns):
        cached.cache_clear()


DEVICE = ["device cuda:0"]
LED = ["sleep 100000", "event", "kernel", "event"]
EMPTY = ["sleep 100000", "event", "event"] * EMPTY_PAIRS


def test_busy_device(gpu):
    """A kernel of 5 us is 5 us by events; by the host the launch is added, 0.1 us."""
    times = time_on_gpu("cuda:0", lambda: gpu.enqueue("kernel", 5000), 2)
    assert times["enqueue"] == [100, 100]
    assert times["cuda-event"] == [5000, 5000]
    assert times["monotonic"] == [5100, 5100]
    assert gpu.asked == [*DEVICE, *EMPTY, *["kernel", *LED] * 2]


def test_device_that_waits_for_launches(gpu):
    """A thousand kernels of 10 ns: beyond the lead of 50 us, the device waits for the host."""

    def call():
        for _ in range(1000):
            gpu.enqueue("kernel", 10)

    times = time_on_gpu("cuda:0", call, 1)
    assert times["enqueue"] == [100_000]
    assert times["cuda-event"] == [100_000 - 50_000 + 200]


def test_what_a_pair_takes_is_subtracted(gpu, monkeypatch):
    """Two microseconds around nothing are two too many around a kernel; never less than 1 ns."""
    spans = iter([2000] * EMPTY_PAIRS + [7000, 1500, 7000])
    monkeypatch.setattr(clock, "_elapsed_ns", lambda *_: next(spans))
    assert time_on_gpu("cuda:0", lambda: None, 3)["cuda-event"] == [5000, 1, 5000]
    assert gpu.asked[-1] == "event"


def test_work_on_the_gpu_that_is_asked_for(gpu):
    """Its events and its stream are of that GPU, whichever the process calls its current one."""
    time_on_gpu("cuda:1", lambda: gpu.enqueue("kernel", 5000), 1)
    assert gpu.asked[0] == "device cuda:1"


@pytest.mark.usefixtures("gpu")
def test_work_that_events_do_not_see():
    """What ran on another stream or another GPU has no latency of a nanosecond: an error."""
    with pytest.raises(TimingError, match="put no work on torch's current stream") as raised:
        time_on_gpu("cuda:0", lambda: None, 3)
    assert "current_stream() of cuda:0" in raised.value.mend
    assert time_on_gpu("cuda:0", lambda: None, 0)["cuda-event"] == []


def test_cold_l2(gpu):
    """Twice the L2's size is overwritten before each call, and none of it is timed."""
    times = clock_for("cuda:0", cold_l2=True)(lambda: gpu.enqueue("kernel", 5000), 2)
    cold = ["overwrite", "kernel", "overwrite", *LED]
    assert gpu.asked == [*DEVICE, *EMPTY, "100 uint8 on cuda:0", *cold * 2]
    assert times == {
        "cuda-event": [5000, 5000],
        "monotonic": [5100, 5100],
        "enqueue": [100, 100],
    }


def test_probe(gpu):
    """The probe spins behind a lead, so that no launch is in it: 400000 cycles at 2 GHz."""
    probe = clock_probe("cuda:1")
    assert gpu.asked == ["device cuda:1", "sleep 100000", "event", "sleep 400000", "event"]
    assert probe() == PROBE_CYCLES // 2
