"""Where an engine host runs."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_infer.devices.fingerprint import machine
from pytest_infer.devices.nvml import visible_gpus


@dataclass(frozen=True)
class Place:
    """A host's machine, and what it has of its caller's."""

    machine: str
    gpus: tuple[str, ...]
    """UUIDs of the NVIDIA GPUs that CUDA shows there."""
    cache: str
    """The folder in which it keeps what it builds: the caller's if it sees that, else its own."""
    sees_files: bool
    """It finds the caller's files under the same paths."""


def place_here(cache: str, *, sees_files: bool) -> Place:
    """Return where this process runs."""
    return Place(machine(), visible_gpus(), cache, sees_files)
