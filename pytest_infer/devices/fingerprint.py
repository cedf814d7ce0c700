"""Identify a device and the libraries that run on it, without importing any of them."""

from __future__ import annotations

import os
import platform
import re
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import getnode

from pytest_infer.devices.device import Device
from pytest_infer.devices.nvml import nvml_handle, visible_gpus

Fingerprint = dict[str, Any]


def device_fingerprint(device: str) -> Fingerprint:
    """Return what identifies ``device`` (``cpu``, ``cuda:0``): kind, name, size, driver."""
    return _gpu(device) if Device.named(device).is_gpu else _cpu()


def runtime_fingerprint(libraries: tuple[str, ...]) -> Fingerprint:
    """Return the versions of Python and of the distributions that are installed."""
    found = {name: _version(name) for name in libraries}
    return {"python": platform.python_version()} | {k: v for k, v in found.items() if v}


def machine() -> str:
    """Return a name of this machine that is unique until it boots again: ``jetson-1f2e3d4c``."""
    boot = _text("/proc/sys/kernel/random/boot_id").strip() or f"{getnode():x}"
    return f"{platform.node()}-{boot[:8]}"


def device_slug(fingerprint: Fingerprint) -> str:
    """Return a folder name for a device's baselines: ``h200``, ``cpu-intel-xeon-2c``."""
    words = re.findall(r"[a-z0-9][a-z0-9.]*", fingerprint["name"].lower())
    noise = {"nvidia", "geforce", "tesla", "r", "tm", "cpu", "processor", "virtual"}
    name = "-".join(word for word in words if word not in noise) or "unknown"
    if fingerprint["kind"] == "cuda":
        return name
    return f"cpu-{name}-{fingerprint['cores']}c"


def _cpu() -> Fingerprint:
    content = _text("/proc/cpuinfo")
    found = re.search(r"model name[ \t]*:[ \t]*(\S.*)", content)
    flags = re.search(r"(?:flags|Features)[ \t]*:[ \t]*(\S.*)", content)
    return {
        "kind": "cpu",
        "name": found[1].strip() if found else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        # Names are coarse ("AMD EPYC"), and compiled code may need what a sibling lacks.
        "instructions": sha256(flags[1].encode()).hexdigest()[:12] if flags else "unknown",
    }


def _gpu(device: str) -> Fingerprint:
    import pynvml

    handle = nvml_handle(visible_gpus()[Device.named(device).index])
    return {
        "kind": "cuda",
        "name": pynvml.nvmlDeviceGetName(handle),
        "memory_bytes": int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
        "driver": pynvml.nvmlSystemGetDriverVersion(),
    }


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
