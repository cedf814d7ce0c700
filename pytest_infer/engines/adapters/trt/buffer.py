"""The memory of one input or output of a TensorRT engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_infer.arrays import Array

DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "BF16": "bfloat16",
    "INT32": "int32",
    "INT64": "int64",
    "INT8": "int8",
    "UINT8": "uint8",
    "BOOL": "bool",
}
"""torch's name of each type that a network's inputs and outputs may have here."""

SENTINEL = 0xA5
"""Fills every byte of an output to see whether it is written: no network returns only these."""


@dataclass(frozen=True)
class Buffer:
    """A tensor's memory: on the device, and pinned on the host to be copied from or to."""

    device: Any
    host: Any

    def has_been_written(self) -> bool:
        """Return whether some byte on the device differs from the sentinel."""
        return self.device.numel() == 0 or bool((self._bytes() != SENTINEL).any())

    def fill(self) -> None:
        """Write the sentinel into every byte on the device."""
        self._bytes().fill_(SENTINEL)

    def array(self) -> Array:
        """Return the host's copy as an array; numpy has no bfloat16, and float32 holds it."""
        import torch

        value = self.host.float() if self.host.dtype == torch.bfloat16 else self.host
        array: Array = value.numpy().copy()
        return array

    def _bytes(self) -> Any:
        import torch

        return self.device.flatten().view(torch.uint8)
