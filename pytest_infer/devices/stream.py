"""The stream on which a GPU computes what is timed."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def stream_on(device: int) -> Any:
    """Return the clock's only stream on ``device``; libraries keep buffers by stream.

    What computes on this one is timed without waiting for another stream, or another for it.
    """
    import torch

    return torch.cuda.Stream(device)
