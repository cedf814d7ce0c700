"""A device by its name: what kind it is, and which one of its kind."""

from __future__ import annotations

from dataclasses import dataclass

CUDA = "cuda"


@dataclass(frozen=True)
class Device:
    """What ``cpu`` and ``cuda:1`` mean; the name is what cases, requests and reports carry."""

    kind: str
    """``cpu`` or ``cuda``."""
    index: int = 0
    """Counted from 0 among the GPUs that CUDA shows."""

    @classmethod
    def named(cls, name: str) -> Device:
        """Return the device of a name; ``cuda`` alone is the first GPU."""
        kind, _, index = name.partition(":")
        return cls(kind, int(index or 0))

    @property
    def is_gpu(self) -> bool:
        """Return whether it is a GPU of NVIDIA's."""
        return self.kind == CUDA

    def __str__(self) -> str:
        """Return its name, as torch has it."""
        return f"{self.kind}:{self.index}" if self.is_gpu else self.kind
