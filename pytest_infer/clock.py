"""Time single calls on a device."""

from __future__ import annotations

from functools import cache
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from pytest_infer.samples import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable

Durations = dict[str, list[int]]
"""Durations in ns by the clock that was read: ``monotonic``, ``cuda-event``."""


def clock_for(device: str) -> Callable[[Callable[[], object], int], Durations]:
    """Return the function that times calls on ``device``."""
    return time_on_gpu if device.startswith("cuda") else time_on_cpu


def time_on_cpu(call: Callable[[], object], calls: int) -> Durations:
    """Time synchronous calls by the host's monotonic clock."""
    durations = []
    for _ in range(calls):
        start = perf_counter_ns()
        call()
        durations.append(perf_counter_ns() - start)
    return {"monotonic": durations}


def time_on_gpu(call: Callable[[], object], calls: int) -> Durations:
    """Time each call by CUDA events on its stream, and by the host from launch to end.

    A call enqueues its work on torch's current stream, which is one of the clock's own meanwhile:
    on the default stream TensorRT synchronizes more than it has to.

    An event pair spans what the device did and the gaps in which it waited for the host; it
    has a resolution of about 0.5 us (CUDA runtime API, ``cudaEventElapsedTime``).
    """
    import torch

    stream = _stream(torch.cuda.current_device())
    stream.wait_stream(torch.cuda.current_stream())  # it may still be making the feeds
    wall, events = [], []
    with torch.cuda.stream(stream):
        for _ in range(calls):
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            began = perf_counter_ns()
            start.record()
            call()
            stop.record()
            stop.synchronize()
            wall.append(perf_counter_ns() - began)
            events.append(_elapsed_ns(start, stop))
    return {"cuda-event": events, "monotonic": wall}


@cache
def _stream(device: int) -> Any:
    """Return the clock's only stream on ``device``; libraries keep buffers by stream."""
    import torch

    return torch.cuda.Stream(device)


def _elapsed_ns(start: Any, stop: Any) -> int:
    return int(start.elapsed_time(stop) * NS_PER_MS)
