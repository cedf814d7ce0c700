"""Time single calls on a device."""

from __future__ import annotations

from functools import cache, partial
from statistics import median
from time import perf_counter_ns, process_time_ns
from typing import TYPE_CHECKING, Any

from pytest_infer.devices.device import Device
from pytest_infer.devices.stream import stream_on
from pytest_infer.errors import TimingError
from pytest_infer.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Durations = dict[str, list[int]]
"""Durations in ns by what was read: ``monotonic``, ``cuda-event``; ``enqueue`` on a GPU."""

CPU_TIME = "cpu"
"""The clock of a process' CPU time, which stands still while it waits for a core."""

PROBE_CYCLES = 400_000
"""How long the probe of a GPU's clock spins: about 200 us at 2 GHz."""

LEAD_CYCLES = 100_000
"""How long the GPU is kept busy before it is timed, so that the host gets ahead: about 50 us."""

EMPTY_PAIRS = 20
"""How many pairs of events around nothing are timed, to know what a pair itself takes."""

LEAST_NS = 300
"""A call whose events span less beyond what a pair takes did nothing between them.

The shortest kernel takes more than 1 us.
"""

L2_BUFFERS = 2
"""How many times the size of the L2 cache is overwritten to empty it."""


def clock_for(
    device: str, *, cold_l2: bool = False
) -> Callable[[Callable[[], object], int], Durations]:
    """Return the function that times calls on ``device``; only a GPU's L2 can be made cold."""
    if not Device.named(device).is_gpu:
        return time_on_cpu
    return partial(time_on_gpu, device, cold_l2=cold_l2)


def time_on_cpu(call: Callable[[], object], calls: int) -> Durations:
    """Time synchronous calls by the host's monotonic clock."""
    durations = []
    for _ in range(calls):
        start = perf_counter_ns()
        call()
        durations.append(perf_counter_ns() - start)
    return {"monotonic": durations}


def time_with_cpu(call: Callable[[], object], calls: int) -> Durations:
    """Time synchronous calls by the host's clock, and by the CPU time of this whole process."""
    wall, cpu = [], []
    for _ in range(calls):
        began, began_cpu = perf_counter_ns(), process_time_ns()
        call()
        cpu.append(process_time_ns() - began_cpu)
        wall.append(perf_counter_ns() - began)
    return {"monotonic": wall, CPU_TIME: cpu}


def time_on_gpu(
    device: str, call: Callable[[], object], calls: int, *, cold_l2: bool = False
) -> Durations:
    """Time calls on the GPU by events, and as many others on the host: until it returns, and ends.

    A call enqueues its work on torch's current stream, which is one of the clock's own meanwhile:
    on the default stream TensorRT synchronizes more than it has to. Events see no other stream, and
    none of another GPU: if all that a call does is elsewhere, raise `TimingError`.

    The GPU spins for some 50 us before the first event, so that the launch of the first kernel is
    not between the events, and what a pair takes around nothing is subtracted. What is left is what
    the device did, and the gaps in which it waited for the host later on. The host's clock reads
    other calls, on an idle GPU: ``monotonic`` until the end, ``enqueue`` until ``call`` returned.
    With ``cold_l2`` the L2 cache is overwritten before each call, outside of all three.
    """
    import torch

    wall, events, enqueue = [], [], []
    with torch.cuda.device(device):
        number = torch.cuda.current_device()
        stream = stream_on(number)
        stream.wait_stream(torch.cuda.current_stream())  # it may still be making the feeds
        with torch.cuda.stream(stream):
            pair_ns = _pair_ns(number)
            for _ in range(calls):
                if cold_l2:
                    _overwrite_l2(number)
                began = perf_counter_ns()
                call()
                enqueue.append(perf_counter_ns() - began)
                stream.synchronize()
                wall.append(perf_counter_ns() - began)
                if cold_l2:
                    _overwrite_l2(number)
                events.append(_led_ns(call) - pair_ns)
    _check_events(device, events, wall)
    return {
        "cuda-event": [max(each, 1) for each in events],
        "monotonic": wall,
        "enqueue": enqueue,
    }


def _check_events(device: str, events: Sequence[int], wall: Sequence[int]) -> None:
    """Raise `TimingError` if events around the calls saw no more than around nothing."""
    if events and median(events) < LEAST_NS:
        raise TimingError(
            f"cannot time a call on {device}",
            why=f"it put no work on torch's current stream: its median is {median(events):g} ns by "
            f"CUDA events, and {median(wall):g} ns by the host's clock",
            mend=f"let it enqueue its work on torch.cuda.current_stream() of {device}",
        )


@cache
def _pair_ns(device: int) -> int:
    """Return what a pair of events takes around nothing on ``device``, on the current stream."""
    del device
    return int(median(_led_ns(lambda: None) for _ in range(EMPTY_PAIRS)))


def _led_ns(call: Callable[[], object]) -> int:
    """Return what a pair of events spans that is enqueued while the GPU is busy."""
    import torch

    start, stop = _event_pair()
    torch.cuda._sleep(LEAD_CYCLES)  # noqa: SLF001 - torch has no public spin
    start.record()
    call()
    stop.record()
    stop.synchronize()
    return _elapsed_ns(start, stop)


def clock_probe(device: str) -> Callable[[], int]:
    """Return a function that spins for `PROBE_CYCLES` on ``device``, and returns the ns that took.

    Cycles over ns is the effective clock of the SMs in GHz. The GPU is busy already when the probe
    is enqueued: the events span no time of the host's.
    """
    import torch

    def spin() -> object:
        return torch.cuda._sleep(PROBE_CYCLES)  # noqa: SLF001 - torch has no public spin

    def probe() -> int:
        with torch.cuda.device(device):
            stream = stream_on(torch.cuda.current_device())
            with torch.cuda.stream(stream):
                return _led_ns(spin)

    probe()  # the first loads the kernel
    return probe


def _event_pair() -> tuple[Any, Any]:
    import torch

    return torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)


def _overwrite_l2(device: int) -> None:
    """Fill the L2 cache with what no call reads, and wait for the end of it."""
    import torch

    _l2_buffer(device).zero_()
    torch.cuda.current_stream().synchronize()


@cache
def _l2_buffer(device: int) -> Any:
    import torch

    size = L2_BUFFERS * torch.cuda.get_device_properties(device).L2_cache_size
    return torch.empty(size, dtype=torch.uint8, device=f"cuda:{device}")


def _elapsed_ns(start: Any, stop: Any) -> int:
    return int(start.elapsed_time(stop) * NS_PER_MS)
