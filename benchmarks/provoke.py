"""What the watch of a GPU sees: alone, beside a neighbour, and under heavy load of one's own.

    python benchmarks/provoke.py --device=cuda:0 --out=provoke.json

A small matrix product is timed in blocks. In the second phase another process multiplies large
matrices on the same GPU; in the third this one does, which may reach the cap on power. No clock is
locked and no setting changed. It takes about 30 s; the exit status is 1 if the neighbour was not
seen as a foreign process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from time import monotonic, perf_counter_ns
from typing import TYPE_CHECKING, Any

import torch

from pytest_infer.devices.gpu_watch import GpuWatch, names_of
from pytest_infer.timing.clock import PROBE_CYCLES, clock_probe, time_on_gpu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL, LARGE = 1024, 8192
SMALL_CALLS, LARGE_CALLS = 200, 50
LOAD_LIMIT_S = 60
PHASES = {"alone": 4, "neighbour": 5, "heavy": 8, "after": 3}
"""How many seconds each phase lasts."""


def main() -> None:
    """Print a row per phase."""
    options = _options()
    torch.cuda.set_device(options.device)
    if options.load:
        _load()
        return
    small, heavy = _small(options.device), partial(_multiply, _matrix(LARGE), LARGE_CALLS)
    with _neighbour(options.device) as start:
        rows = [_phase("alone", options.device, small)]
        start()
        rows.append(_phase("neighbour", options.device, small))
    rows += [_phase("heavy", options.device, heavy), _phase("after", options.device, small)]
    if options.out:
        options.out.write_text(json.dumps({"gpu": torch.cuda.get_device_name(), "rows": rows}))
    _show(rows)
    raise SystemExit(0 if _is_seen(rows) else 1)


def _phase(name: str, device: str, work: Callable[[], list[int]]) -> dict[str, Any]:
    """Do ``work`` in blocks for the phase's seconds; return what a separate watch saw."""
    watch, probe = GpuWatch(device), clock_probe(device)
    work()
    codes: Counter[str] = Counter()
    reasons: set[str] = set()
    durations, marks, checks, probed = [], [], [], []
    until = monotonic() + PHASES[name]
    while monotonic() < until:
        asked = perf_counter_ns()
        mark = watch.mark()
        began = perf_counter_ns()
        durations += work()
        ended = perf_counter_ns()
        codes[watch.disturbance(mark, ended - began) or "clean"] += 1
        checks.append(perf_counter_ns() - ended)
        marks.append(began - asked)
        probed.append(probe())
        reasons.update(names_of(mark.event_reasons or 0))
    asked = perf_counter_ns()
    report = watch.report()
    return {
        "phase": name,
        "blocks": dict(codes),
        "reasons": sorted(reasons),
        "p50_us": median(durations) / 1000,
        "p99_us": quantiles(durations, n=100)[98] / 1000,
        "probe_mhz": PROBE_CYCLES * 1000 / median(probed),
        "probe_min_mhz": PROBE_CYCLES * 1000 / max(probed),
        "mark_us": median(marks) / 1000,
        "disturbance_us": median(checks) / 1000,
        "report_ms": (perf_counter_ns() - asked) / 1e6,
        "report": report,
    }


def _matrix(size: int) -> torch.Tensor:
    """Return random numbers: constant ones would draw less power."""
    return torch.randn(size, size, device="cuda", dtype=torch.float16)


def _small(device: str) -> Callable[[], list[int]]:
    multiply = partial(torch.mm, _matrix(SMALL), _matrix(SMALL))
    return lambda: time_on_gpu(device, multiply, SMALL_CALLS)["cuda-event"]


def _multiply(matrix: torch.Tensor, calls: int) -> list[int]:
    """Multiply without a pause; return the mean duration once per call."""
    began = perf_counter_ns()
    for _ in range(calls):
        torch.mm(matrix, matrix)
    torch.cuda.synchronize()
    return [(perf_counter_ns() - began) // calls] * calls


@contextmanager
def _neighbour(device: str) -> Iterator[Callable[[], None]]:
    """Start a process that loads nothing but libraries, until it is asked to load the GPU."""
    command = [sys.executable, __file__, f"--device={device}", "--load"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start() -> None:
        assert process.stdin  # noqa: S101 - it was asked for above
        assert process.stdout  # noqa: S101
        process.stdin.write("go\n")
        process.stdin.flush()
        if process.stdout.readline() != "loading\n":
            print("the neighbour did not start; its phase is one alone", file=sys.stderr)

    try:
        yield start
    finally:
        process.kill()
        process.wait()


def _load() -> None:
    """Wait for a line, then multiply until killed."""
    sys.stdin.readline()
    matrix, until = _matrix(LARGE), monotonic() + LOAD_LIMIT_S
    _multiply(matrix, 1)
    print("loading", flush=True)
    while monotonic() < until:
        _multiply(matrix, 10)


def _is_seen(rows: list[dict[str, Any]]) -> bool:
    """Return whether a foreign process is known while the neighbour lives, and none after it."""
    known = {row["phase"]: row["report"]["foreign_processes"] for row in rows}
    return bool(known["neighbour"]) and not known["after"]


def _show(rows: list[dict[str, Any]]) -> None:
    columns = ("p50_us", "p99_us", "probe_mhz", "probe_min_mhz", "mark_us", "disturbance_us")
    states = ("sm_clock_mhz", "temperature_c", "power_w", "power_limit_w", "energy_j")
    for row in rows:
        report = row["report"]
        limited = {
            name.removesuffix("_limited_ms"): value
            for name, value in report.items()
            if name.endswith("_limited_ms") and value
        }
        print(f"{row['phase']}: blocks {row['blocks']}, reasons {row['reasons']}")
        print(f"    limited (ms) {limited}; foreign {report['foreign_processes']}")
    print(f"    unsupported: {rows[-1]['report']['unsupported']}")
    print(f"{'':10}" + "".join(f"{name:>15}" for name in (*columns, *states, "report_ms")))
    for row in rows:
        values = {**row, **row["report"]}
        figures = (values[name] for name in (*columns, *states, "report_ms"))
        texts = ("unknown" if each is None else f"{each:.1f}" for each in figures)
        print(f"{row['phase']:10}" + "".join(f"{text:>15}" for text in texts))
    print(f"neighbour seen as a foreign process: {_is_seen(rows)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--out", type=Path, default=None, help="a JSON file")
    parser.add_argument("--load", action="store_true", help="be the neighbour")
    return parser.parse_args()


if __name__ == "__main__":
    main()
