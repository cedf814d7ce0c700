"""On which device an engine's cases run, and whether that device is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.config import AUTO
from pytest_infer.devices.device import Device
from pytest_infer.devices.nvml import gpu_in_turn, visible_gpus
from pytest_infer.engines.missing import missing_gpu
from pytest_infer.errors import OptionError

if TYPE_CHECKING:
    from pytest_infer.config import InferConfig
    from pytest_infer.hosts.place import Place


def device_at(place: Place, config: InferConfig) -> str:
    """Return the device on which cases run at ``place``: the one asked for, or a GPU if any."""
    if config.device != AUTO:
        return config.device
    return "cuda:0" if place.gpus else "cpu"


def gpu_of_worker(config: InferConfig) -> str:
    """Return the GPU to which hosts on this machine are bound: workers have theirs in turn."""
    if config.worker is None or config.device != AUTO:
        return ""
    return gpu_in_turn(config.worker)


def check_gpu(device: str) -> None:
    """Raise `OptionError` if ``device`` is a GPU that is not there."""
    if not Device.named(device).is_gpu:
        return
    lack, present = missing_gpu(), len(visible_gpus())
    if lack:
        raise OptionError(f"cannot use device {device}", why=lack.why, mend=lack.mend)
    if Device.named(device).index >= present:
        raise OptionError(
            f"cannot use device {device}",
            why=f"the driver shows {present} GPU{'s' * (present > 1)}, counted from 0",
            mend=f"choose cuda:0{f' to cuda:{present - 1}' * (present > 1)}",
        )
