"""What the plugin costs a run that does not use it, and how long 5,000 cases take to collect.

    python benchmarks/start.py            # two figures, and those before them; 1 if over a limit
    python benchmarks/start.py --keep     # the same, and a line more in benchmarks/data/start.jsonl

Start: the CPU time of importing the plugin and its fixtures after pytest, in a fresh process with
bytecode; the least of 20, since others on the machine only add to it. Collection: the time that
pytest gives for ``--collect-only`` on 5 tests, 10 models, 4 engines and 25 batches; the least of 3.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pytest_infer.devices.fingerprint import device_fingerprint

HISTORY = Path(__file__).parent / "data" / "start.jsonl"

LIMITS = {"start_ms": 10.0, "collection_s": 2.0}

IMPORT = """
import time
import pytest
before = time.process_time()
import pytest_infer.plugin, pytest_infer.plugin.fixtures, pytest_infer.plugin.judge_fixtures
print(1000 * (time.process_time() - before))
"""

NETS = """
from pytest_infer import TensorSpec, model

def add(number):
    def create(): ...
    create.__name__ = create.__qualname__ = f"net{number}"
    model(
        inputs={"x": TensorSpec(("batch", 8))}, outputs={"y": TensorSpec(("batch", 8))}
    )(create)

for number in range(10):
    add(number)
"""

TESTS = "\n".join(f"def test_{number}(engine): ..." for number in range(5))

CASES = 5000


def start_ms() -> float:
    """Return the CPU time of importing the plugin, in ms."""
    command = [sys.executable, "-c", IMPORT]
    done = [subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(20)]
    return min(float(each.stdout) for each in done)


def collection_s() -> float:
    """Return how long pytest collects 5,000 cases, in s; exit if they are not as many."""
    with TemporaryDirectory() as folder:
        Path(folder, "conftest.py").write_text(NETS)
        Path(folder, "test_nets.py").write_text(TESTS)
        batches = ",".join(map(str, range(1, 26)))
        models = ",".join(f"net{number}" for number in range(10))
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
        command += [f"--infer-batch={batches}", f"--infer-model={models}", "--infer-device=cpu"]
        command += ["--engine=eager,ort,torchscript,compile"]
        found = []
        for _ in range(3):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            told = re.search(r"(\d+) tests collected in ([\d.]+)s", done.stdout)
            if told is None or int(told[1]) != CASES:
                raise SystemExit(f"{CASES} cases were to be collected:\n{done.stdout[-2000:]}")
            found.append(float(told[2]))
    return min(found)


def main() -> int:
    """Measure, show and perhaps keep; return 1 if a figure is over its limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", action="store_true", help="add a line to the history")
    options = parser.parse_args()
    now: dict[str, Any] = {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": _commit(),
        "device": device_fingerprint("cpu")["name"],
        "python": sys.version.partition(" ")[0],
        "start_ms": round(start_ms(), 2),
        "collection_s": round(collection_s(), 2),
    }
    known = (
        [json.loads(line) for line in HISTORY.read_text().splitlines()] if HISTORY.exists() else []
    )
    for each in [*known[-5:], now]:
        print(" ".join(f"{name} {value}" for name, value in each.items()))
    if options.keep:
        HISTORY.parent.mkdir(exist_ok=True)
        HISTORY.write_text("".join(json.dumps(each) + "\n" for each in [*known, now]))
    over = [name for name, limit in LIMITS.items() if now[name] > limit]
    print(", ".join(f"{name} is over {LIMITS[name]:g}" for name in over) or "within the limits")
    return 1 if over else 0


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(
        command, cwd=HISTORY.parent, capture_output=True, text=True, check=False
    ).stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
