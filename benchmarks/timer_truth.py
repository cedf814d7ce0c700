"""How far this package's clock of a GPU is from the truth, for kernels of known length.

    python benchmarks/timer_truth.py --device=cuda:0 --out=timer_truth.json

A kernel that spins for a number of cycles is timed by `clock.time_on_gpu`. Two truths: the start
and end that the GPU itself notes (CUPTI), and cycles over the clock of the SMs. Beside them events
around a kernel that is enqueued while the GPU is busy, which shows how much of the bias is the
launch. Then calls of a hundred kernels, from bound by launches to bound by the device, and one
call that reads what fits into the L2 cache, warm and cold. It takes about half a minute.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter_ns
from typing import Any

import torch

from pytest_infer import Samples
from pytest_infer.devices.gpu_trace import kernel_durations_ns
from pytest_infer.devices.gpu_watch import GpuWatch
from pytest_infer.timing.clock import PROBE_CYCLES, clock_probe, time_on_gpu

LENGTHS_US = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
CALLS = 50
SEQUENCE, SEQUENCE_LENGTHS_US, SEQUENCE_CALLS = 100, (1, 5, 20, 100), 20
L2_MIB = 16
WARM_UP_S = 1.0
CURRENT = "cuda"
"""The current GPU, as torch calls it."""

SPIN = "spin_kernel"
"""The name of the kernel of `torch.cuda._sleep`."""


def main() -> None:
    """Print three tables; all that is not traced comes first, for a trace slows launches down."""
    options = _options()
    torch.cuda.set_device(options.device)
    watch, probe = GpuWatch(options.device), clock_probe(options.device)
    _warm_up(probe)
    mark, began = watch.mark(), perf_counter_ns()
    ghz = PROBE_CYCLES / median(probe() for _ in range(CALLS))
    alone = {us: _alone(us, ghz) for us in LENGTHS_US}
    sequences = {us: _sequence(us, ghz) for us in SEQUENCE_LENGTHS_US}
    l2 = _l2()
    disturbance = watch.disturbance(mark, perf_counter_ns() - began)
    lengths = [_traced(us, ghz, alone[us]) for us in LENGTHS_US]
    calls = [_traced_sequence(us, ghz, sequences[us]) for us in SEQUENCE_LENGTHS_US]
    result = {
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "probe_mhz": ghz * 1000,
        "cupti_mhz": lengths[-1]["cycles"] / lengths[-1]["cupti_us"],
        "disturbance": disturbance,
        "lengths": lengths,
        "calls": calls,
        "l2": l2,
        "report": watch.report(),
    }
    if options.out:
        options.out.write_text(json.dumps(result, indent=1))
    _show(result)


def _warm_up(probe: Any) -> None:
    until = monotonic() + WARM_UP_S
    while monotonic() < until:
        probe()


def _spin(us: float, ghz: float) -> partial[object]:
    return partial(torch.cuda._sleep, round(us * 1000 * ghz))


def _alone(us: float, ghz: float) -> dict[str, float]:
    """Return medians in us: by events, by the host until the end and until the call returned."""
    call = _spin(us, ghz)
    time_on_gpu(CURRENT, call, 3)
    times = time_on_gpu(CURRENT, call, CALLS)
    return {
        "events_us": median(times["cuda-event"]) / 1000,
        "wall_us": median(times["monotonic"]) / 1000,
        "enqueue_us": median(times["enqueue"]) / 1000,
        "plain_us": median(_plain_us(call) for _ in range(CALLS)),
    }


def _plain_us(call: partial[object]) -> float:
    """Return what events span on an idle GPU, the launch of the kernel between them."""
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    call()
    stop.record()
    stop.synchronize()
    return float(start.elapsed_time(stop)) * 1000


def _traced(us: float, ghz: float, alone: dict[str, float]) -> dict[str, float]:
    """Return a row: the untraced medians beside CUPTI's and the events' while CUPTI looked on."""
    call, times = _spin(us, ghz), {}
    kernels = kernel_durations_ns(lambda: times.update(time_on_gpu(CURRENT, call, CALLS)), SPIN)
    _check(kernels, 3 * CALLS)
    cupti_us = median(_timed(kernels, 1)) / 1000
    return {
        "length_us": us,
        "cycles": call.args[0],
        "cupti_us": cupti_us,
        "cycles_us": call.args[0] / ghz / 1000,
        **alone,
        "bias_us": alone["events_us"] - cupti_us,
        "bias_percent": 100 * (alone["events_us"] / cupti_us - 1),
        "plain_bias_us": alone["plain_us"] - cupti_us,
        "traced_events_us": median(times["cuda-event"]) / 1000,
    }


def _sequence_call(us: float, ghz: float) -> Any:
    spin = _spin(us, ghz)

    def call() -> None:
        for _ in range(SEQUENCE):
            spin()

    return call


def _sequence(us: float, ghz: float) -> dict[str, Any]:
    """Return what the package says of a call that enqueues many kernels."""
    call = _sequence_call(us, ghz)
    time_on_gpu(CURRENT, call, 3)
    times = time_on_gpu(CURRENT, call, SEQUENCE_CALLS)
    samples = Samples(
        tuple(times["cuda-event"]), "cuda-event", 1, 3, enqueue_ns=tuple(times["enqueue"])
    )
    return {
        "events_us": samples.percentile_ms(50) * 1000,
        "launch_share": samples.launch_share,
        "is_launch_bound": samples.is_launch_bound,
    }


def _traced_sequence(us: float, ghz: float, sequence: dict[str, Any]) -> dict[str, Any]:
    """Return a row: for which share of the events' time kernels ran."""
    call = _sequence_call(us, ghz)
    kernels = kernel_durations_ns(lambda: time_on_gpu(CURRENT, call, SEQUENCE_CALLS), SPIN)
    _check(kernels, (2 * SEQUENCE + 1) * SEQUENCE_CALLS)
    kernels_us = sum(_timed(kernels, SEQUENCE)) / SEQUENCE_CALLS / 1000
    busy_share = kernels_us / sequence["events_us"]
    return {"kernel_us": us, "kernels_us": kernels_us, "busy_share": busy_share, **sequence}


def _l2() -> dict[str, float]:
    """Return medians in us of a call that reads and writes what fits into the L2 cache."""
    source = torch.ones(L2_MIB << 18, device="cuda")
    target = torch.empty_like(source)
    found = {}
    for name, is_cold in (("warm_us", False), ("cold_us", True)):
        call = partial(torch.mul, source, 2, out=target)
        time_on_gpu(CURRENT, call, 3, cold_l2=is_cold)
        times = time_on_gpu(CURRENT, call, CALLS, cold_l2=is_cold)
        found[name] = median(times["cuda-event"]) / 1000
    return found


def _timed(kernels: list[int], count: int) -> list[int]:
    """Return the kernels between events: ``count`` by the host's clock come before, and a lead."""
    step = 2 * count + 1
    return [
        each
        for start in range(0, len(kernels), step)
        for each in kernels[start + count + 1 : start + step]
    ]


def _check(kernels: list[int], expected: int) -> None:
    if len(kernels) != expected:
        raise SystemExit(f"CUPTI shows {len(kernels)} kernels named {SPIN}, not {expected}")


def _show(result: dict[str, Any]) -> None:
    print(f"{result['gpu']}, torch {result['torch']}")
    print(
        f"SM clock: probe {result['probe_mhz']:.1f} MHz, longest kernel by CUPTI "
        f"{result['cupti_mhz']:.1f} MHz, NVML {result['report']['sm_clock_mhz']} MHz"
    )
    print(f"disturbed by: {result['disturbance']}; unknown: {result['report']['unsupported']}")
    names = ("cupti_us", "cycles_us", "events_us", "bias_us", "bias_percent", "plain_bias_us")
    names += ("traced_events_us", "wall_us", "enqueue_us")
    print("\none kernel" + "".join(f"{name:>17}" for name in names))
    for row in result["lengths"]:
        print(f"{row['length_us']:7} us" + "".join(f"{row[name]:17.2f}" for name in names))
    names = ("events_us", "kernels_us", "busy_share", "launch_share")
    print(f"\n{SEQUENCE} kernels" + "".join(f"{name:>14}" for name in names) + "  launch-bound")
    for row in result["calls"]:
        figures = "".join(f"{row[name]:14.3f}" for name in names)
        print(f"{row['kernel_us']:8} us" + figures + f"{row['is_launch_bound']!s:>14}")
    l2 = result["l2"]
    print(
        f"\n{2 * L2_MIB} MiB through L2: {l2['warm_us']:.2f} us warm, {l2['cold_us']:.2f} us cold"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--out", type=Path, default=None, help="a JSON file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
