"""Time single calls on a device."""

from __future__ import annotations

from functools import cache, partial
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from pytest_infer.samples import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable

Durations = dict[str, list[int]]
"""Durations in ns by what was read: ``monotonic``, ``cuda-event``; ``enqueue`` on a GPU."""

PROBE_CYCLES = 400_000
"""How long the probe of a GPU's clock spins: about 200 us at 2 GHz."""

LEAD_CYCLES = 100_000
"""How long the GPU is kept busy before it is timed, so that the host gets ahead: about 50 us."""

EMPTY_PAIRS = 20
"""How many pairs of events around nothing are timed, to know what a pair itself takes."""

L2_BUFFERS = 2
"""How many times the size of the L2 cache is overwritten to empty it."""


def clock_for(
    device: str, *, cold_l2: bool = False
) -> Callable[[Callable[[], object], int], Durations]:
    """Return the function that times calls on ``device``; only a GPU's L2 can be made cold."""
    if not device.startswith("cuda"):
        return time_on_cpu
    return partial(time_on_gpu, cold_l2=True) if cold_l2 else time_on_gpu


def time_on_cpu(call: Callable[[], object], calls: int) -> Durations:
    """Time synchronous calls by the host's monotonic clock."""
    durations = []
    for _ in range(calls):
        start = perf_counter_ns()
        call()
        durations.append(perf_counter_ns() - start)
    return {"monotonic": durations}


def time_on_gpu(call: Callable[[], object], calls: int, *, cold_l2: bool = False) -> Durations:
    """Time calls on the GPU by events, and as many others on the host: until it returns, and ends.

    A call enqueues its work on torch's current stream, which is one of the clock's own meanwhile:
    on the default stream TensorRT synchronizes more than it has to.

    The GPU spins for some 50 us before the first event, so that the launch of the first kernel is
    not between the events, and what a pair takes around nothing is subtracted. What is left is what
    the device did, and the gaps in which it waited for the host later on. The host's clock reads
    other calls, on an idle GPU: ``monotonic`` until the end, ``enqueue`` until ``call`` returned.
    With ``cold_l2`` the L2 cache is overwritten before each call, outside of all three.
    """
    import torch

    device = torch.cuda.current_device()
    stream = _stream(device)
    stream.wait_stream(torch.cuda.current_stream())  # it may still be making the feeds
    wall, events, enqueue = [], [], []
    with torch.cuda.stream(stream):
        pair_ns = _pair_ns(device)
        for _ in range(calls):
            if cold_l2:
                _overwrite_l2(device)
            began = perf_counter_ns()
            call()
            enqueue.append(perf_counter_ns() - began)
            stream.synchronize()
            wall.append(perf_counter_ns() - began)
            if cold_l2:
                _overwrite_l2(device)
            events.append(max(_led_ns(call) - pair_ns, 1))
    return {"cuda-event": events, "monotonic": wall, "enqueue": enqueue}


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
            stream = _stream(torch.cuda.current_device())
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


@cache
def _stream(device: int) -> Any:
    """Return the clock's only stream on ``device``; libraries keep buffers by stream."""
    import torch

    return torch.cuda.Stream(device)


def _elapsed_ns(start: Any, stop: Any) -> int:
    return int(start.elapsed_time(stop) * NS_PER_MS)
