"""What a trace tells of a call, on recorded events."""

from types import SimpleNamespace

import pytest

from pytest_infer.devices import gpu_trace
from pytest_infer.devices.gpu_trace import kernel_durations_ns, launches_graph

SPIN = "at::cuda::(anonymous namespace)::spin_kernel(long)"


def event(name, start_us, us, device="CUDA"):
    """Return an event as torch's profiler lists it."""
    span = SimpleNamespace(start=start_us, elapsed_us=lambda: us)
    return SimpleNamespace(name=name, time_range=span, device_type=SimpleNamespace(name=device))


@pytest.fixture
def trace(monkeypatch):
    """Let every trace be the given events."""

    def call(*events):
        averages = [SimpleNamespace(key=each.name) for each in events]
        found = SimpleNamespace(events=lambda: list(events), key_averages=lambda: averages)
        monkeypatch.setattr(gpu_trace, "_trace", lambda _: found)

    return call


def test_kernels(trace):
    """Kernels of the name are listed by when they ran; the host's call of the same name is not."""
    trace(
        event(SPIN, 50, 20.352),
        event(SPIN, 10, 10.5),
        event("spin_kernel launch", 5, 99, device="CPU"),
        event("Memset (Device)", 0, 7),
    )
    assert kernel_durations_ns(int, "spin_kernel") == [10_500, 20_352]


def test_graph_launch(trace):
    """A replay is seen by the driver's call, whatever its prefix."""
    trace(event("cuGraphLaunch", 0, 1, device="CPU"))
    assert launches_graph(int)
    trace(event("cudaLaunchKernel", 0, 1, device="CPU"))
    assert not launches_graph(int)
