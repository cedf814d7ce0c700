"""Faults to plant in the process that an engine runs in."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

ProcessFault: TypeAlias = Callable[[], object]


def segfault() -> None:
    """Read address 0, as a broken native library does."""
    import ctypes

    ctypes.string_at(0)


def hang() -> None:
    """Wait for ever."""
    from threading import Event

    Event().wait()


def fork_and_crash() -> None:
    """Leave a child behind that holds every pipe of this process open, and crash."""
    if os.fork() == 0:
        hang()
    segfault()


def exhaust_memory() -> None:
    """Ask for more memory than any machine has."""
    np.empty(1 << 60, dtype=np.uint8)


def fill_gpu() -> None:
    """Take most of the GPU's free memory, and then as much again."""
    import torch

    free, _ = torch.cuda.mem_get_info()
    held = [torch.empty(free * 3 // 4, dtype=torch.uint8, device="cuda") for _ in range(2)]
    raise RuntimeError(f"{sum(map(len, held))} bytes were there")


def lose_gpu() -> None:
    """Read beyond the end of a tensor: CUDA refuses whatever else this process asks of it."""
    import torch

    torch.zeros(1, device="cuda")[torch.ones(1, dtype=torch.int64, device="cuda")]
    torch.cuda.synchronize()


def leave() -> None:
    """End the process without a word, as the kernel does when memory runs out."""
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
