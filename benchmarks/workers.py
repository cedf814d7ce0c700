"""Whether latencies are the same alone, on workers, and beside another run of pytest.

    python benchmarks/workers.py --cache=DIR -- --engine=ort,torchscript --infer-model=mobilenet_v2

What follows ``--`` goes to pytest. Each way is tried several times in turns, the engines come from
the cache; a case's p50 of each way is the median of its runs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

SUITE = Path(__file__).parents[1] / "suites" / "test_latency.py"
PYTEST = (sys.executable, "-m", "pytest", str(SUITE), "-q", "-p", "no:cacheprovider")
WAYS = {
    "alone": [()],
    "two workers": [("-n", "2")],
    "two runs at once": [(), ()],
}


def figures(report: Path) -> dict[str, float]:
    """Return the p50 in ms of each case in a report."""
    records = json.loads(report.read_text())["records"]
    return {
        each["case_id"]: each["figures"]["p50_ms"]
        for each in records
        if "p50_ms" in each["figures"]
    }


def run(ways: list[tuple[str, ...]], options: list[str]) -> list[dict[str, float]]:
    """Return what runs that are started together measure."""
    with TemporaryDirectory() as place, ExitStack() as stack:
        reports = [Path(place) / f"{number}.json" for number in range(len(ways))]
        for way, report in zip(ways, reports, strict=True):
            command = [*PYTEST, *options, *way, f"--infer-report=json:{report}"]
            stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        stack.close()  # waits for all of them
        return [figures(report) for report in reports]


def main() -> None:
    """Print a row per case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cache", required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("options", nargs="*")
    given = parser.parse_args()
    options = [f"--infer-cache={given.cache}", *given.options]
    run([()], options)  # builds
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(given.repeats):
        for way, together in WAYS.items():
            for each in run(together, options):
                for case, p50_ms in each.items():
                    found[case][way].append(p50_ms)
    table = Table("case", *(f"{way}, p50 ms" for way in WAYS), "least to most, alone")
    for case, ways in sorted(found.items()):
        alone = ways["alone"]
        p50s = [f"{median(ways[way]):.2f}" for way in WAYS]
        table.add_row(case, *p50s, f"{min(alone):.2f} to {max(alone):.2f}")
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
