"""See what a call really does on the GPU, by CUPTI's trace of the driver's calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

GRAPH_LAUNCH = "GraphLaunch"
"""Part of the names of the runtime's and the driver's calls: cudaGraphLaunch, cuGraphLaunch."""


def launches_graph(call: Callable[[], object]) -> bool:
    """Return whether ``call`` replays a CUDA graph, whatever library captured it.

    torch's profiler sees the calls of every library in the process (Kineto, over CUPTI).
    """
    import torch
    from torch.profiler import ProfilerActivity, profile

    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as trace:
        call()
        torch.cuda.synchronize()
    return any(GRAPH_LAUNCH in event.key for event in trace.key_averages())
