"""Find what NVML calls the GPU that torch calls ``cuda:N``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MIG = "MIG-"
GPU = "GPU-"


@dataclass(frozen=True)
class GpuHandle:
    """NVML's handles of one CUDA device."""

    board: Any
    """The whole GPU, which has clocks, power and a temperature."""
    instance: Any
    """The MIG instance, which has memory and processes; the board itself where there is none."""


def gpu_handle(device: str) -> GpuHandle | None:
    """Return the handles of ``device`` (``cuda:N``), or None if NVML is absent or lacks it.

    CUDA counts the devices that ``CUDA_VISIBLE_DEVICES`` names, the fastest first; NVML counts all,
    by their place on the bus. So the UUID is what joins them. An index is used only where torch
    tells no UUID.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    index = int(device.partition(":")[2] or 0)
    found = next(filter(None, map(_by_name, _names(index))), None)
    return None if found is None else GpuHandle(_board(found), found)


def _names(index: int) -> Iterator[str]:
    """Yield what the device may be called, the surest first.

    A MIG instance is named by the variable alone: torch may tell the UUID of its board.
    """
    visible = _visible(index)
    if visible.startswith(MIG):
        yield visible
    uuid = _torch_uuid(index).removeprefix(GPU).removeprefix(MIG)
    if uuid:
        yield from (GPU + uuid, MIG + uuid)
    else:
        yield visible


def _visible(index: int) -> str:
    """Return the entry of ``CUDA_VISIBLE_DEVICES``, or the index if all are visible."""
    visible = [part.strip() for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    visible = [part for part in visible if part]
    if not visible:
        return str(index)
    return visible[index] if index < len(visible) else ""


def _torch_uuid(index: int) -> str:
    try:
        import torch

        return str(torch.cuda.get_device_properties(index).uuid)
    except (ImportError, AttributeError, AssertionError, RuntimeError):
        return ""  # no torch, an older one, or one without CUDA


def _by_name(name: str) -> Any:
    import pynvml

    try:
        if name.isdecimal():
            return pynvml.nvmlDeviceGetHandleByIndex(int(name))
        return pynvml.nvmlDeviceGetHandleByUUID(name) if name else None
    except pynvml.NVMLError:
        return None


def _board(handle: Any) -> Any:
    """Return the GPU that a MIG instance is a part of, or the handle itself."""
    import pynvml

    try:
        if pynvml.nvmlDeviceIsMigDeviceHandle(handle):
            return pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)
    except (AttributeError, pynvml.NVMLError):
        pass  # a driver older than MIG
    return handle
