"""See what a call really does on the GPU, by CUPTI's trace of the driver's calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

GRAPH_LAUNCH = "GraphLaunch"
"""Part of the names of the runtime's and the driver's calls: cudaGraphLaunch, cuGraphLaunch."""


def launches_graph(call: Callable[[], object]) -> bool:
    """Return whether ``call`` replays a CUDA graph, whatever library captured it.

    torch's profiler sees the calls of every library in the process (Kineto, over CUPTI).
    """
    return any(GRAPH_LAUNCH in event.key for event in _trace(call).key_averages())


def kernel_durations_ns(call: Callable[[], object], name: str) -> list[int]:
    """Return how long each kernel whose name has ``name`` ran during ``call``, in their order.

    The GPU itself notes the start and the end of a kernel; no launch is in between.
    """
    kernels = [
        event.time_range
        for event in _trace(call).events()
        if event.device_type.name == "CUDA" and name in event.name
    ]
    return [round(span.elapsed_us() * 1000) for span in sorted(kernels, key=lambda s: s.start)]


def _trace(call: Callable[[], object]) -> Any:
    import torch
    from torch.profiler import ProfilerActivity, profile

    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as trace:
        call()
        torch.cuda.synchronize()
    return trace
