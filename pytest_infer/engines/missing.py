"""Why an engine cannot run on a device here, as far as torch and the driver know."""

from __future__ import annotations

from importlib.util import find_spec

from pytest_infer.devices.device import Device
from pytest_infer.engines.protocol import Missing


def missing_torch(device: str) -> Missing | None:
    """Return why torch cannot run on ``device`` here, without importing it."""
    if find_spec("torch") is None:
        return Missing("torch is not installed", "pip install 'pytest-infer[cpu]'")
    return missing_gpu() if Device.named(device).is_gpu else None


def missing_gpu() -> Missing | None:
    """Return why there is no NVIDIA GPU here, if there is none."""
    from pytest_infer.devices.nvml import visible_gpus

    if visible_gpus():
        return None
    return Missing(
        "no NVIDIA GPU: the driver (libnvidia-ml) is absent or shows no device",
        "run on a machine with an NVIDIA GPU and its driver, or name one by --infer-host",
    )
