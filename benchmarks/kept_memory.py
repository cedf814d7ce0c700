"""What an inference takes where the memory of large arrays is kept, and where it is not.

``python benchmarks/kept_memory.py``, on a quiet machine. DETR in eager mode, in a process each.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from statistics import median
from time import perf_counter

from pytest_infer.hosts.heap import FREED_MEMORY, KEPT, keep_as_told

CALLS = 5


def measure() -> None:
    """Print wall time and the kernel's CPU time of a call, by the number of images."""
    keep_as_told()
    import torch

    from pytest_infer.models import registry as models
    from pytest_infer.models.weights import created

    module = created(models.find("detr_resnet50"), pretrained=False)
    for rows in (1, 2):
        images = torch.randn(rows, 3, 800, 1066)
        calls = []
        for _ in range(CALLS):
            kernel_s, began_s = resource.getrusage(resource.RUSAGE_SELF).ru_stime, perf_counter()
            with torch.inference_mode():
                module(images)
            wall_s = perf_counter() - began_s
            calls.append((wall_s, resource.getrusage(resource.RUSAGE_SELF).ru_stime - kernel_s))
        wall_s, kernel_s = map(median, zip(*calls, strict=True))
        print(f"  {rows} images: {wall_s:.2f} s a call, of the kernel's CPU {kernel_s:.2f} s")


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        measure()
    else:
        for value in ("given-back", KEPT):
            print(f"{FREED_MEMORY}={value}", flush=True)
            environment = {**os.environ, FREED_MEMORY: value}
            subprocess.run([sys.executable, __file__, "measure"], env=environment, check=True)
