"""One measurement, in the process in which it counts: arms, clock and watch of a device."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from statistics import median
from typing import TYPE_CHECKING

from pytest_infer.devices.cpu_watch import CpuWatch
from pytest_infer.devices.device import Device
from pytest_infer.devices.gpu_watch import GpuWatch
from pytest_infer.timing.clock import clock_probe, time_on_cpu, time_on_gpu
from pytest_infer.timing.fixed_kernel import matrix_product
from pytest_infer.timing.measurement import (
    ENGINE,
    FIXED,
    STORED,
    Measurement,
    measurement_from_rounds,
)
from pytest_infer.timing.rounds import CPU_DUET_S, CPU_PLAN, GPU_PLAN, time_rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_infer.timing.rounds import Arm, Plan


def measure(
    calls: Mapping[str, Callable[[], object]], device: str, *, rounds: int = 0
) -> Measurement:
    """Return what bound calls take on ``device``, by arm, beside its fixed kernel.

    A call of the arms is synchronous on a CPU and may be asynchronous on a GPU. ``rounds`` are
    taken as they come, without a warm-up; 0: the plan of the device.
    """
    is_gpu = Device.named(device).is_gpu
    plan = GPU_PLAN if is_gpu else CPU_PLAN
    if STORED in calls and not is_gpu:
        plan = replace(plan, clean_s=CPU_DUET_S)
    if rounds:
        plan = plan.of_rounds(rounds)
    return _on_gpu(calls, device, plan) if is_gpu else _on_cpu(calls, plan)


def _on_cpu(calls: Mapping[str, Callable[[], object]], plan: Plan) -> Measurement:
    arms = {name: _timed_on_cpu(call) for name, call in calls.items()}
    arms[FIXED] = _timed_on_cpu(matrix_product())
    watch = CpuWatch()
    rounds = time_rounds(arms, watch, plan, Random())  # noqa: S311 - an order, not a secret
    return measurement_from_rounds(rounds, environment=watch.report())


def _on_gpu(calls: Mapping[str, Callable[[], object]], device: str, plan: Plan) -> Measurement:
    shares: list[float] = []
    arms = {
        name: _timed_on_gpu(device, call, [] if name != ENGINE else shares)
        for name, call in calls.items()
    }
    probe, watch = clock_probe(device), GpuWatch(device)
    arms[FIXED] = lambda calls: [probe() for _ in range(calls)]
    rounds = time_rounds(arms, watch, plan, Random())  # noqa: S311 - an order, not a secret
    return measurement_from_rounds(
        rounds,
        checks_clock=plan.is_watched,
        enqueue_share=median(shares),
        environment=watch.report(),
    )


def _timed_on_cpu(call: Callable[[], object]) -> Arm:
    return lambda calls: time_on_cpu(call, calls)["monotonic"]


def _timed_on_gpu(device: str, call: Callable[[], object], shares: list[float]) -> Arm:
    """Return an arm that appends to ``shares`` how much of its time each block's launches took."""

    def timed(calls: int) -> list[int]:
        durations = time_on_gpu(device, call, calls)
        shares.append(median(durations["enqueue"]) / median(durations["cuda-event"]))
        return durations["cuda-event"]

    return timed
