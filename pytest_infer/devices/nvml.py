"""Find what NVML calls the GPU that CUDA calls ``cuda:N``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pytest_infer.bounds import number_from_text
from pytest_infer.devices.device import Device

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    reports no UUID.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    index = Device.named(device).index
    found = next(filter(None, map(nvml_handle, _names(index))), None)
    return None if found is None else GpuHandle(_board(found), found)


def _names(index: int) -> Iterator[str]:
    """Yield what the device may be called, the surest first.

    A MIG instance is named by the variable alone: torch may report the UUID of its board.
    """
    visible = _visible(index)
    if visible.startswith(MIG):
        yield visible
    uuid = _torch_uuid(index).removeprefix(GPU).removeprefix(MIG)
    if uuid:
        yield from (GPU + uuid, MIG + uuid)
    else:
        yield visible


def visible_gpus() -> tuple[str, ...]:
    """Return the UUID of each GPU or MIG instance that CUDA shows to this process.

    Of ``CUDA_VISIBLE_DEVICES``, the entries count that come before the first unknown one. A GPU
    whose driver reports no UUID is named by its index.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
        present = [_uuid(str(index)) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return ()
    asked = _asked_for()
    if asked is None:
        return tuple(present)
    return tuple(takewhile(bool, (_resolved(entry, present) for entry in asked)))


def gpu_in_turn(number: int) -> str:
    """Return the UUID of the GPU that falls to the process of that number, of those like the first.

    Empty where there is only one: a process need not be bound to it.
    """
    gpus = visible_gpus()
    alike = [uuid for uuid in gpus if _name(uuid) == _name(gpus[0])]
    return alike[number % len(alike)] if len(alike) > 1 else ""


def nvml_handle(name: str) -> Any:
    """Return NVML's handle of what a UUID or an index names; None if NVML does not know it."""
    import pynvml

    try:
        if (index := number_from_text(name)) is not None:
            return pynvml.nvmlDeviceGetHandleByIndex(index)
        return pynvml.nvmlDeviceGetHandleByUUID(name) if name else None
    except pynvml.NVMLError:
        return None


def _visible(index: int) -> str:
    """Return the entry of ``CUDA_VISIBLE_DEVICES``, or the index if all are visible."""
    asked = _asked_for()
    if asked is None:
        return str(index)
    return asked[index] if index < len(asked) else ""


def _asked_for() -> list[str] | None:
    """Return the entries of ``CUDA_VISIBLE_DEVICES``, None where it is not set."""
    value = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if value is None else [entry.strip() for entry in value.split(",")]


def _resolved(entry: str, present: Sequence[str]) -> str:
    """Return the UUID that an index, a UUID or the start of one means; empty if there is none."""
    if (index := number_from_text(entry)) is not None:
        return present[index] if index < len(present) else ""
    begun = [uuid for uuid in present if entry and uuid.startswith(entry)]
    if begun:
        return begun[0]
    return entry if nvml_handle(entry) is not None else ""


def _name(uuid: str) -> str:
    import pynvml

    return str(pynvml.nvmlDeviceGetName(nvml_handle(uuid)))


def _uuid(name: str) -> str:
    import pynvml

    try:
        return str(pynvml.nvmlDeviceGetUUID(nvml_handle(name)))
    except pynvml.NVMLError:
        return name


def _torch_uuid(index: int) -> str:
    try:
        import torch

        return str(torch.cuda.get_device_properties(index).uuid)
    except (ImportError, AttributeError, AssertionError, RuntimeError):
        return ""  # no torch, an older one, or one without CUDA


def _board(handle: Any) -> Any:
    """Return the GPU that a MIG instance is a part of, or the handle itself."""
    import pynvml

    try:
        if pynvml.nvmlDeviceIsMigDeviceHandle(handle):
            return pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)
    except (AttributeError, pynvml.NVMLError):
        pass  # a driver older than MIG
    return handle
