"""Whether a stored measurement and one of today may be compared, and on which terms."""

from __future__ import annotations

from dataclasses import replace
from math import log
from statistics import median
from typing import TYPE_CHECKING

from pytest_infer.baselines.entry import is_other_kernel
from pytest_infer.judges.terms import (
    CPU,
    GPU,
    LAUNCH_BOUND,
    OTHER_CLOCK,
    OTHER_GPU,
    SHARED_CPU,
)
from pytest_infer.session.gate_timer import FEW_CORES
from pytest_infer.stored_gate import kernel_ms
from pytest_infer.timing.samples import LAUNCH_BOUND_SHARE

if TYPE_CHECKING:
    from pytest_infer.judges.terms import Terms
    from pytest_infer.session.gate_timer import Setting
    from pytest_infer.stored_gate import Gate
    from pytest_infer.timing.measurement import Measurement

PROTOCOL = 1
"""What a measurement is: the reference net, the fixed kernel, the rounds, the statistic.

A change to one of them makes stored measurements worthless, and raises this number.
"""


OTHER_CLOCK_SHARE = 0.005
"""By so much the fixed kernel's duration differs if the GPU runs at another clock: at one clock it
spreads by 0.1 % on six H200s."""


def terms_of(
    setting: Setting, measurement: Measurement, gate: Gate, *, is_tuned: bool = False
) -> Terms:
    """Return the terms on which a case is gated: by its device, and what a first look shows.

    ``is_tuned``: the engine's builder times kernels, and chooses other ones on another day.
    """
    if setting.clock == "monotonic":
        return SHARED_CPU if setting.cores <= FEW_CORES else CPU
    share = measurement.enqueue_share
    if share is not None and share >= LAUNCH_BOUND_SHARE:
        return LAUNCH_BOUND
    now_ms = kernel_ms(measurement.theta, measurement.rho, measurement.engine_ms)
    stored_ms = median(each.kernel_ms for each in gate.measurements)
    if abs(log(now_ms / stored_ms)) > OTHER_CLOCK_SHARE:
        return OTHER_CLOCK
    if gate.gpu and gate.gpu == measurement.gpu:
        return GPU
    return replace(OTHER_GPU, by_kernel=True) if is_tuned else OTHER_GPU


def unlike(gate: Gate, setting: Setting) -> str:
    """Return what makes a stored entry another measurement than today's; empty if nothing does."""
    pairs = (
        ("protocol", gate.protocol, PROTOCOL),
        ("clock", gate.clock, setting.clock),
        ("threads", gate.threads, setting.threads),
        ("rounds", gate.rounds, setting.rounds),
    )
    return ", ".join(
        f"its {name} was {old}, and is {new} now" for name, old, new in pairs if old != new
    )


def odd_measurement(gate: Gate, first: Measurement) -> str:
    """Return which stored measurement contradicts what is measured now; empty if none does.

    The fixed kernel is the same work then and now, whatever became of the engine.
    """
    now_ms = kernel_ms(first.theta, first.rho, first.engine_ms)
    for number, each in enumerate(gate.measurements):
        if is_other_kernel(each.kernel_ms, now_ms):
            return f"measurements[{number}]: {each.told()}, which takes {now_ms:.3g} ms now"
    return ""
