"""How far apart two processes are in what the host's launches decide, and what brings them closer.

    python benchmarks/launch_bound.py --processes=10 --out=benchmarks/data/launch_bound.jsonl
    python benchmarks/launch_bound.py --processes=0 --out=benchmarks/data/launch_bound.jsonl

The second command prints the table of what is in the file.

Fresh processes run classifiers in eager fp16 at batch 1 on a GPU, where the host bounds a call.
Half of them are pinned to one core. In each, calls alternate with a probe of the host: launches of
one tiny kernel. The table has the spread over the processes of the time of a call, and of its
ratio to the probe.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = ("resnet50", "mobilenet_v2")
ROUNDS, CALLS, LAUNCHES = 40, 5, 1500


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long ``work`` took until it had enqueued everything, and until it was done, s."""
    import torch

    torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    enqueued = time.perf_counter()
    torch.cuda.synchronize()
    return enqueued - started, time.perf_counter() - started


def measure(core: int | None) -> dict[str, dict[str, float]]:
    """Return the medians of one process, s per call, and the probe's, s per launch."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    import torch
    import torchvision

    image = torch.rand(1, 3, 224, 224, device="cuda").half()
    number = torch.zeros(1, device="cuda")

    def probe() -> None:
        for _ in range(LAUNCHES):
            number.add_(1)

    found = {}
    with torch.inference_mode():
        for name in MODELS:
            net = getattr(torchvision.models, name)().eval().half().cuda()

            def calls(net: torch.nn.Module = net) -> None:
                for _ in range(CALLS):
                    net(image)

            for _ in range(10):
                timed(calls)
                timed(probe)
            rounds = [(timed(calls), timed(probe)) for _ in range(ROUNDS)]
            found[name] = {
                "enqueue": statistics.median(call[0] for call, _ in rounds) / CALLS,
                "wall": statistics.median(call[1] for call, _ in rounds) / CALLS,
                "probe": statistics.median(launch[0] for _, launch in rounds) / LAUNCHES,
                "ratio": statistics.median(call[0] / launch[0] for call, launch in rounds),
                "wall_ratio": statistics.median(call[1] / launch[0] for call, launch in rounds),
            }
    return found


def spread(values: list[float]) -> str:
    """Return the standard deviation of the logarithms, and their range, in per cent."""
    logs = [math.log(each) for each in values]
    return f"{statistics.stdev(logs):.2%} ({max(logs) - min(logs):.1%})"


def main() -> None:
    """Start the processes in turns, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=10, help="of each kind")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="a file for each process's medians, JSON lines")
    wanted = parser.parse_args()
    if wanted.one:
        print(json.dumps(measure(wanted.core)))
        return
    core = max(os.sched_getaffinity(0))
    found: dict[str, list[dict[str, dict[str, float]]]] = {"any core": [], "one core": []}
    for line in wanted.out.read_text().splitlines() if wanted.out and wanted.out.exists() else ():
        kept = json.loads(line)
        found[kept.pop("kind")].append(kept)
    for _ in range(wanted.processes):
        for kind, more in (("any core", []), ("one core", [f"--core={core}"])):
            command = [sys.executable, __file__, "--one", *more]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[kind].append(json.loads(done.stdout.splitlines()[-1]))
            if wanted.out:
                with wanted.out.open("a") as file:
                    file.write(json.dumps({"kind": kind, **found[kind][-1]}) + "\n")
    print("| model | runs on | wall, ms | probe, us | enqueue: sd (range) | wall | probe |", end="")
    print(" enqueue over probe | wall over probe |")
    print("|---" * 9 + "|")
    for name in MODELS:
        for kind, processes in found.items():
            columns = {key: [each[name][key] for each in processes] for key in processes[0][name]}
            cells = (
                f"{statistics.median(columns['wall']) * 1e3:.3f}",
                f"{statistics.median(columns['probe']) * 1e6:.2f}",
                *(
                    spread(columns[key])
                    for key in ("enqueue", "wall", "probe", "ratio", "wall_ratio")
                ),
            )
            print(f"| {name} | {kind} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
