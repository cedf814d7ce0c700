"""Whether a runner that closes gives its GPU memory back: open, infer and close, 50 times.

    python benchmarks/device_memory.py --engine=trt --precision=fp16 --device=cuda:0

The figures are the device's memory in use by NVML after some of the cycles, in MiB: of the whole
device, so nothing else may run on it.
"""

from __future__ import annotations

import argparse
import gc
from pathlib import Path

import pynvml

from pytest_infer import Case
from pytest_infer.config import InferConfig
from pytest_infer.engines import registry as engines
from pytest_infer.session.session import InferSession

CYCLES = 50
SHOWN = (1, 2, 5, 10, 25, 50)


def main() -> None:
    """Print a row per engine."""
    options = _options()
    hosts = dict.fromkeys(engines.registered(), "inline")
    session = InferSession(InferConfig(device=options.device, cache=options.cache, hosts=hosts))
    print(f"{'MiB in use after cycle':32}" + "".join(f"{number:8}" for number in SHOWN))
    try:
        for engine in options.engine.split(","):
            case = Case(options.model, engine, options.precision, 1, options.device)
            used = _cycles(session, case)
            print(f"{case.id:32}" + "".join(f"{used[number]:8.0f}" for number in SHOWN), flush=True)
    finally:
        session.close()


def _cycles(session: InferSession, case: Case) -> dict[int, float]:
    """Return the memory in use after each cycle."""
    built = session.artefacts.engines.of(case)
    feeds = session.artefacts.models.feeds(case.model, case.batch)
    used = {}
    for number in range(1, CYCLES + 1):
        with engines.find(case.engine).open(built) as runner:
            runner.infer(feeds)
        del runner
        gc.collect()
        used[number] = _used_mib(case.device)
    return used


def _used_mib(device: str) -> float:
    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByIndex(int(device.partition(":")[2] or 0))
    used: int = pynvml.nvmlDeviceGetMemoryInfo(handle).used
    return used / (1 << 20)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="eager,torchscript")
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--cache", type=Path, default=None)
    return parser.parse_args()


if __name__ == "__main__":
    main()
