"""How long the README's first run takes, without a cache and with one, and what it goes into.

``python benchmarks/first_run.py --keep`` adds a line to ``benchmarks/data/first_run.jsonl``. The
machine must have nothing else to do: other processes' share of its cores is told, too.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from pytest_infer.devices.fingerprint import device_fingerprint

ROOT = Path(__file__).parents[1]
HISTORY = Path(__file__).parent / "data" / "first_run.jsonl"

LIBRARIES = ("torch", "onnxruntime")
ROW = re.compile(r"^ (\S.*?)\s{2,}([\d.]+)\s+\d+%", re.MULTILINE)
"""A line of the table of ``--infer-durations``: what, seconds, share."""


def one_run(options: list[str], cache: Path) -> dict[str, Any]:
    """Return the seconds of one run of the suites, by what they went into; exit if it fails."""
    command = [sys.executable, "-m", "pytest", "suites", f"--infer-cache={cache}"]
    own, began_s = os.times(), perf_counter()
    before = _busy_s()
    done = subprocess.run(
        [*command, "--infer-durations", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    wall_s, busy_s = perf_counter() - began_s, _busy_s() - before
    spent = os.times()
    own_s = spent.children_user + spent.children_system - own.children_user - own.children_system
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    _, _, told = done.stdout.partition("where the time went")
    return {
        "wall_s": round(wall_s, 1),
        "cpu_s": round(own_s, 1),
        "others_share": round(max(0.0, busy_s - own_s) / wall_s / (os.cpu_count() or 1), 2),
        "spent_s": {name.strip(): float(seconds) for name, seconds in ROW.findall(told)},
    }


def main() -> None:
    """Run cold and warm in a new cache, show both and perhaps keep them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="mobilenet_v2", help="as --infer-model takes them")
    parser.add_argument("--engine", default="compile,eager,ort,torchscript", help="as --engine")
    parser.add_argument("--keep", action="store_true", help="add a line to the history")
    given = parser.parse_args()
    options = [f"--infer-model={given.model}", f"--engine={given.engine}", "--infer-device=cpu"]
    with TemporaryDirectory() as folder:
        runs = {name: one_run(options, Path(folder, "cache")) for name in ("cold", "warm")}
    now = {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": _commit(),
        "device": device_fingerprint("cpu")["name"],
        "cores": os.cpu_count(),
        "python": sys.version.partition(" ")[0],
        "libraries": {name: version(name) for name in LIBRARIES},
        "model": given.model,
        "engine": given.engine,
        **runs,
    }
    for name, run in runs.items():
        print(
            f"{name}: {run['wall_s']} s, {run['cpu_s']} s of CPU, "
            f"others had {run['others_share']:.0%} of the machine"
        )
        for what, seconds in run["spent_s"].items():
            print(f"  {seconds:7.1f} s  {what}")
    if given.keep:
        with HISTORY.open("a") as file:
            file.write(json.dumps(now) + "\n")


def _busy_s() -> float:
    """Return what all processes of the machine have used of its cores since it booted, in s."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    idle = (3, 4)
    ticks = sum(int(each) for place, each in enumerate(fields) if place not in idle)
    return ticks / os.sysconf("SC_CLK_TCK")


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()


if __name__ == "__main__":
    main()
