"""What a built engine costs besides time: figures for information, never judged."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.devices.device import Device
from pytest_infer.devices.nvml import gpu_handle
from pytest_infer.storage.eviction import MANIFEST

if TYPE_CHECKING:
    from pytest_infer.engines.protocol import BuiltEngine

BYTES_PER_KB = 1024
"""The kernel's kB."""

BUILD_S = "build_s"
"""The fact in a built engine's manifest that says how long its build took, where it was built."""


def resources_of(built: BuiltEngine, load_s: float) -> dict[str, float]:
    """Return the figures of an engine that this process has opened within ``load_s``.

    ``engine_bytes``: the files that were built; ``build_s``: how long that took, maybe in an
    earlier run; ``load_s``: the opening, the import of a library that was not imported yet
    included; ``peak_host_bytes``: the most memory that this process ever had in use;
    ``device_bytes``: what it has on the GPU now. A figure that cannot be known is left out.
    """
    figures = {
        "engine_bytes": _built_bytes(built),
        BUILD_S: _build_s(built),
        "load_s": load_s,
        "peak_host_bytes": peak_host_bytes(),
        "device_bytes": device_bytes(built.request.device),
    }
    return {name: value for name, value in figures.items() if value is not None}


def peak_host_bytes(status: Path = Path("/proc/self/status")) -> int | None:
    """Return this process's largest resident set so far; None where it is unknown."""
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * BYTES_PER_KB if found else None


def device_bytes(device: str) -> int | None:
    """Return what the driver says that this process has on a GPU, its CUDA context included.

    None on a CPU, and where the driver does not know this process by its number: in a container
    with separate process numbers.
    """
    if not Device.named(device).is_gpu:
        return None
    import pynvml

    handle = gpu_handle(device)
    if handle is None:
        return None
    try:
        running = pynvml.nvmlDeviceGetComputeRunningProcesses(handle.instance)
    except pynvml.NVMLError:
        return None
    used = [each.usedGpuMemory for each in running if each.pid == os.getpid()]
    return used[0] if used else None


def _built_bytes(built: BuiltEngine) -> int | None:
    if not built.folder:
        return None
    files = (path for path in Path(built.folder).rglob("*") if path.name != MANIFEST)
    return sum(path.stat().st_size for path in files if path.is_file())


def _build_s(built: BuiltEngine) -> float | None:
    """Return what the manifest says; older ones say nothing."""
    if not built.folder:
        return None
    seconds: float | None = json.loads(built.path(MANIFEST).read_text())["facts"].get(BUILD_S)
    return seconds
