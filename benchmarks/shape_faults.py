"""Plant faults that depend on shapes, values and layouts, and see what shape fuzzing finds.

    python benchmarks/shape_faults.py --update             # writes docs/results/fuzzing.md
    python benchmarks/shape_faults.py --only=odd-height,layout-ignored --examples=60

Each is planted in what a fake engine puts out or is fed, or in the ONNX graph that ONNX Runtime is
built from. `suites/test_shapes.py` runs on them, in hypothesis's ``ci`` profile; then each command
that a failure has printed runs in a separate process, and must fail with the same code.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "results" / "fuzzing.md"
SUITE = ROOT / "suites" / "test_shapes.py"

HONEST = "honest"

OF_SEQUENCES = ("stale-after-a-larger-shape", "output-of-another-runner")
"""What one runner that is fed the least shape before each example never shows."""

CONFTEST = """
import numpy as np

from pytest_infer import Dim, TensorSpec, model, register
from pytest_infer.testing import FakeEngine, faults, feed_faults, memory_faults
from pytest_infer.testing import graph_faults as plant
from pytest_infer.testing.feed_faults import size, where


@model(
    inputs={"image": TensorSpec(("batch", 3, "height", "width"))},
    outputs={"scores": TensorSpec(("batch", 10))},
    dims={"batch": Dim(1, 1, 4), "height": Dim(33, 64, 128), "width": Dim(33, 64, 128)},
)
def small_net():
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    ).eval()


def is_poisoned(feeds):
    return not all(np.isfinite(feed).all() for feed in feeds.values())


def is_large(feeds):
    (feed,) = feeds.values()
    return feed.shape[2] * feed.shape[3] > 4096


FAULTS = {
    "batch-above-1": {"shapes": where(size(0, lambda n: n > 1), faults.scale(1.001))},
    "odd-height": {"shapes": where(size(2, lambda n: n % 2), faults.scale(1.001))},
    "even-height": {
        "shapes": where(size(2, lambda n: n % 2 == 0), faults.scale(1.001))
    },
    "width-no-multiple-of-32": {
        "shapes": where(size(3, lambda n: n % 32 and n > 64), faults.scale(1.001))
    },
    "more-than-4096-pixels": {"shapes": where(is_large, faults.add(1e-4, (0, 3)))},
    "last-row-unwritten": {
        "shapes": where(size(0, lambda n: n > 2), faults.fill(0.0, -1))
    },
    "stale-after-a-smaller-shape": {
        "memory": lambda: memory_faults.kept(lambda before, now: before[2] < now[2])
    },
    "stale-after-a-larger-shape": {
        "memory": lambda: memory_faults.kept(lambda before, now: before[2] > now[2])
    },
    "output-of-another-runner": {"memory": memory_faults.shared_buffer()},
    "layout-ignored": {"feeds": feed_faults.ignore_strides},
    "overflow-above-65504": {"feeds": feed_faults.saturate(65504.0)},
    "NaN-reaches-other-rows": {"shapes": where(is_poisoned, faults.mix_rows(1e-3))},
    "graph-batch-above-2": {"graph": plant.scale_sizes("Conv", 1, 0, factor=1.01, above=2)},
    "graph-odd-width": {"graph": plant.scale_sizes("Conv", 0, 3, factor=1.01, odd_of=2)},
    "graph-padded-on-one-side": {"graph": plant.attribute("Conv", 1, "pads", [0, 0, 1, 1])},
    "graph-same-padding": {"graph": plant.same_padding("Conv", 2)},
    "graph-pool-rounds-up": {"graph": plant.attribute("MaxPool", 0, "ceil_mode", 1)},
    "graph-mean-over-the-batch": {
        "graph": plant.weight("ReduceMean", 0, lambda _: np.array([0, 2, 3]))
    },
    "honest": {},
}
for name, fault in FAULTS.items():
    register(FakeEngine(name, inner="ort", **fault))
"""

SMALLEST = {
    "batch-above-1": "batch=2,height=33,width=33",
    "odd-height": "batch=1,height=33,width=33",
    "even-height": "batch=1,height=34,width=33",
    "width-no-multiple-of-32": "batch=1,height=33,width=65",
    "more-than-4096-pixels": "batch=1,height=33,width=125",
    "last-row-unwritten": "batch=3,height=33,width=33",
    "stale-after-a-smaller-shape": "batch=1,height=34,width=33",
    "stale-after-a-larger-shape": "batch=1,height=34,width=33",
    "output-of-another-runner": "batch=1,height=33,width=33",
    "layout-ignored": "batch=1,height=33,width=33",
    "overflow-above-65504": "batch=1,height=33,width=33",
    "NaN-reaches-other-rows": "batch=2,height=33,width=33",
    "graph-batch-above-2": "batch=3,height=33,width=33",
    "graph-odd-width": "batch=1,height=33,width=33",
    "graph-padded-on-one-side": "batch=1,height=33,width=33",
    "graph-same-padding": "batch=1,height=33,width=33",
    "graph-pool-rounds-up": "batch=1,height=33,width=33",
    "graph-mean-over-the-batch": "batch=2,height=33,width=33",
}
"""The smallest shape on which each fault shows, batch before height before width."""


@dataclass(frozen=True)
class Found:
    """What was found of one fault."""

    name: str
    test: str = ""
    code: str = ""
    replay: str = ""
    again: str = ""
    """The code with which the printed command fails; empty if it does not."""

    @property
    def is_found(self) -> bool:
        """Return whether it was found at its smallest shape, and again by its command."""
        return SMALLEST[self.name] in self.replay and self.code == self.again != ""


def pytest_run(folder: Path, *options: str) -> dict[str, Any]:
    """Run pytest in a separate process; return its report."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", *options, f"--infer-report=json:{report}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if not report.exists():
        raise SystemExit(done.stdout + done.stderr)
    content: dict[str, Any] = json.loads(report.read_text())
    return content


def tests_of(names: list[str]) -> dict[str, list[str]]:
    """Return the faults that each test is to find; the other test may find them as well."""
    chosen = {
        "test_every_shape": [name for name in names if name not in OF_SEQUENCES],
        "test_sequences": [name for name in names if name in OF_SEQUENCES],
    }
    return {test: faults for test, faults in chosen.items() if faults}


def failures(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the first failure of each engine."""
    failed = [each for each in report["records"] if each["status"] == "fail"]
    return {each["case"]["engine"]: each for each in reversed(failed)}


def found_of(name: str, record: dict[str, Any] | None, folder: Path) -> Found:
    """Return what was found of a fault, and what its command finds again."""
    if record is None:
        return Found(name)
    command = re.search(r"again: (pytest .*)", record["message"])
    if command is None:
        return Found(name, record["test"], record["code"])
    words = shlex.split(command[1])
    again = failures(pytest_run(folder, *words)).get(name, {"code": ""})
    replay = words[-1].partition("=")[2]
    return Found(name, record["test"], record["code"], replay, again["code"])


def table(found: list[Found]) -> str:
    """Return the sums and the table in Markdown."""
    good = sum(each.is_found for each in found)
    rows = [
        f"| {each.name.replace('-', ' ')} | {each.test.partition('::')[2].partition('[')[0]} "
        f"| `{each.code}` | `{each.replay}` | {'yes' if each.again == each.code else '**no**'} |"
        for each in found
    ]
    sums = (
        f"{good} of {len(found)} faults are found, shrunk to their smallest shape, and found again "
        "by the command."
    )
    headings = ["| fault | found by | code | smallest | again |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([sums, "", *headings, *rows])


def write(text: str) -> None:
    """Replace what stands between the marker comments in the page."""
    start, end = "<!-- faults -->", "<!-- end of faults -->"
    pattern = re.escape(start) + ".*?" + re.escape(end)
    page = DOCS.read_text()
    DOCS.write_text(re.sub(pattern, lambda _: f"{start}\n{text}\n{end}", page, flags=re.DOTALL))


def main() -> None:
    """Run the search on every fault, and each command that it prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="only these faults, separated by commas")
    parser.add_argument("--examples", type=int, default=200, help="as --infer-fuzz-examples")
    parser.add_argument("--cache", type=Path, help="as --infer-cache")
    parser.add_argument("--update", action="store_true", help="write the table into the page")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(SMALLEST)
    with TemporaryDirectory() as place:
        folder = Path(place)
        shutil.copy(SUITE, folder)
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
        cache = options.cache or folder / "cache"
        failed: dict[str, dict[str, Any]] = {}
        for test, chosen in tests_of(names).items():
            report = pytest_run(
                folder,
                *("pytest", "-m", "fuzz", "-k", test, "--infer-model=small_net"),
                *(f"--engine={','.join([*chosen, HONEST])}", "--infer-device=cpu"),
                *(f"--infer-cache={cache}", f"--infer-fuzz-examples={options.examples}"),
                "--hypothesis-profile=ci",
            )
            failed |= failures(report)
        found = [found_of(name, failed.get(name), folder) for name in names]
    text = table(found)
    print(text)
    if HONEST in failed:
        raise SystemExit(f"an engine without a fault fails: {failed[HONEST]['message']}")
    if options.update:
        write(text)


if __name__ == "__main__":
    main()
