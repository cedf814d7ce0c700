"""Watch what disturbs a GPU while something is measured on it: limits, heat, other processes.

NVML may refuse any call: on a MIG instance, in a container, on a driver or a board that lacks it.
What it refuses is None, which means unknown; `GpuWatch.report` lists those calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_infer.devices.gpu_processes import foreign
from pytest_infer.devices.nvml import gpu_handle

EVENT_REASONS = "nvmlDeviceGetCurrentClocksEventReasons"
THROTTLE_REASONS = "nvmlDeviceGetCurrentClocksThrottleReasons"
"""The call's new and old name."""

POWER_CAP = "power-cap"

REASONS = {
    0x1: "idle",
    0x2: "clocks-setting",
    0x4: POWER_CAP,
    0x8: "hw-slowdown",
    0x10: "sync-boost",
    0x20: "sw-thermal",
    0x40: "thermal",
    0x80: "power-brake",
    0x100: "display-clock",
    0x200: "board-limit",
    0x400: "reliability",
}
"""Why the clocks are what they are, by bit (nvml.h, ``nvmlClocksEventReason…``)."""

DISTURBING = ("thermal", "power-brake", "sw-thermal", "hw-slowdown")
"""The reasons that make a block unclean, the most specific first.

The two of the hardware (heat, an external power brake) come together with ``hw-slowdown``, and
halve the clocks at least. NVML may also show ``hw-slowdown`` alone while clocks change: a block in
which they did is not clean either. ``clocks-setting`` is a choice of the owner's, and steady.
"""

COUNTERS = {"thermal": 1, "sync-boost": 2, "board-limit": 3, POWER_CAP: 0}
"""The counters of limited time that are read around a block, by code (``nvmlPerfPolicyType_t``)."""

HARMLESS_COUNTERS = {"low-utilization": 4, "reliability": 5}
"""Counters that run in normal work, and are only reported.

The first grows where the GPU waits for the host. The second grows on a healthy board at its highest
clock, where the voltage is the limit.
"""

STEADY_SHARE = 0.9
"""A block whose power was capped for as much of its time was capped from its start to its end."""

NOT_A_VALUE = 1 << 63
"""Counters from here up are NVML's ways to say that there is none."""


@dataclass(frozen=True)
class Reading:
    """What the driver says at one moment of what limits the clocks; None is unknown."""

    event_reasons: int | None
    """Bits of `REASONS` that are in force."""
    limited_ns: Mapping[str, int | None]
    """For how long each of `COUNTERS` has limited the clocks since the driver was loaded."""

    def has(self, reason: str) -> bool | None:
        """Return whether a reason is in force."""
        return None if self.event_reasons is None else reason in names_of(self.event_reasons)


def names_of(event_reasons: int) -> list[str]:
    """Return the names of the bits that are set; one that is not in `REASONS` is a number."""
    bits = [1 << number for number in range(event_reasons.bit_length())]
    return [REASONS.get(bit, hex(bit)) for bit in bits if event_reasons & bit]


def disturbance_between(before: Reading, after: Reading, wall_ns: int) -> str | None:
    """Return the code of what disturbed the block of ``wall_ns`` between two readings, or None.

    None is no proof: of what is unknown in the readings nothing was seen.
    """
    for reason in DISTURBING:
        if before.has(reason) or after.has(reason):
            return reason
    for counter in COUNTERS:
        if counter != POWER_CAP and _limited_ns(before, after, counter):
            return counter
    return POWER_CAP if _is_capped_in_part(before, after, wall_ns) else None


def _is_capped_in_part(before: Reading, after: Reading, wall_ns: int) -> bool:
    """Return whether the cap on power came or went within the block.

    A capped board runs below the clock that was asked for. Many boards of low power do all the
    time under full load: that is their speed, and no disturbance. A cap that holds for a part of a
    block makes that block slower than its neighbours.
    """
    ends = before.has(POWER_CAP), after.has(POWER_CAP)
    limited_ns = _limited_ns(before, after, POWER_CAP)
    is_steady = all(ends) or limited_ns >= STEADY_SHARE * wall_ns
    return not is_steady and (any(ends) or limited_ns > 0)


def _limited_ns(before: Reading, after: Reading, counter: str) -> int:
    """Return how far a counter has moved; 0 if it is unknown or was set back."""
    start, stop = before.limited_ns.get(counter), after.limited_ns.get(counter)
    return 0 if start is None or stop is None else max(stop - start, 0)


class GpuWatch:
    """Watches one GPU from within the process that works on it.

    `mark` and `disturbance` ask the driver for five values each, some 10 to 100 us apiece; what was
    refused once is not asked for again.
    """

    def __init__(self, device: str) -> None:
        """Watch ``device`` (``cuda:N``); without NVML everything is unknown, and no error."""
        self._refused: dict[str, None] = {}
        self._handle = gpu_handle(device)
        if self._handle is None:
            self._refused["nvmlDeviceGetHandleByUUID"] = None
        self._began = self._limited_ns(COUNTERS | HARMLESS_COUNTERS)
        self._began_mj = self._total_mj()

    def mark(self) -> Reading:
        """Return the state before a block, for `disturbance`."""
        return Reading(self._event_reasons(), self._limited_ns(COUNTERS))

    def disturbance(self, since: Reading, wall_ns: int) -> str | None:
        """Return why the block of ``wall_ns`` since a mark was not clean, or None.

        The codes are ``thermal``, ``power-brake``, ``sw-thermal``, ``hw-slowdown``,
        ``sync-boost``, ``board-limit`` and ``power-cap``.
        """
        return disturbance_between(since, self.mark(), wall_ns)

    def report(self) -> dict[str, float | str | list[str] | None]:
        """Return the GPU's state, units in the names; None is unknown.

        Energy and the counters of limited time are counted from the beginning of this watch. It
        takes some milliseconds: ask after a measurement, not within.
        """
        reasons = self._event_reasons()
        utilization = self._ask("nvmlDeviceGetUtilizationRates")
        memory = self._ask_instance("nvmlDeviceGetMemoryInfo")
        return {
            "uuid": self._ask_instance("nvmlDeviceGetUUID"),
            "sm_clock_mhz": self._ask("nvmlDeviceGetClockInfo", 1),
            "memory_clock_mhz": self._ask("nvmlDeviceGetClockInfo", 2),
            "temperature_c": self._ask("nvmlDeviceGetTemperature", 0),
            "power_w": _scaled(self._ask("nvmlDeviceGetPowerUsage"), 1e-3),
            "power_limit_w": _scaled(self._ask("nvmlDeviceGetEnforcedPowerLimit"), 1e-3),
            "energy_j": _scaled(_grown(self._began_mj, self._total_mj()), 1e-3),
            "utilization_percent": None if utilization is None else utilization.gpu,
            "memory_used_mib": None if memory is None else memory.used / (1 << 20),
            "event_reasons": None if reasons is None else names_of(reasons),
            **self._limited_ms(),
            "foreign_processes": foreign(
                self._ask_instance("nvmlDeviceGetComputeRunningProcesses"),
                self._ask_instance("nvmlDeviceGetGraphicsRunningProcesses"),
            ),
            "unsupported": self._unsupported(),
        }

    def _unsupported(self) -> list[str]:
        """Return the calls that were refused; one whose older name answers is not missed."""
        is_answered = {EVENT_REASONS, THROTTLE_REASONS} - self._refused.keys()
        return [call for call in self._refused if call != EVENT_REASONS or not is_answered]

    def _limited_ms(self) -> dict[str, float | None]:
        now = self._limited_ns(COUNTERS | HARMLESS_COUNTERS)
        return {
            f"{name.replace('-', '_')}_limited_ms": _scaled(
                _grown(self._began[name], now[name]), 1e-6
            )
            for name in now
        }

    def _event_reasons(self) -> int | None:
        """Return the bits in force; older drivers and bindings know the call's old name only."""
        new = self._ask(EVENT_REASONS)
        found = self._ask(THROTTLE_REASONS) if new is None else new
        return None if found is None else int(found)

    def _limited_ns(self, counters: Mapping[str, int]) -> dict[str, int | None]:
        """Return the counters; NVML gives them in nanoseconds (``nvmlViolationTime_t``)."""
        found = {
            name: self._ask("nvmlDeviceGetViolationStatus", number)
            for name, number in counters.items()
        }
        return {
            name: None if value is None else _counted(value.violationTime)
            for name, value in found.items()
        }

    def _total_mj(self) -> int | None:
        return _counted(self._ask("nvmlDeviceGetTotalEnergyConsumption"))

    def _ask(self, call: str, *arguments: int) -> Any:
        """Return what NVML says of the whole board, or None."""
        return self._answer(call, self._handle and self._handle.board, *arguments)

    def _ask_instance(self, call: str) -> Any:
        """Return what NVML says of the MIG instance, or of the board without one, or None."""
        return self._answer(call, self._handle and self._handle.instance)

    def _answer(self, call: str, handle: Any, *arguments: int) -> Any:
        import pynvml

        name = f"{call}({', '.join(map(str, arguments))})" if arguments else call
        if handle is None or name in self._refused:
            return None
        try:
            return getattr(pynvml, call)(handle, *arguments)
        except (AttributeError, pynvml.NVMLError):
            self._refused[name] = None
            return None


def _counted(value: int | None) -> int | None:
    return None if value is None or value >= NOT_A_VALUE else int(value)


def _grown(start: int | None, stop: int | None) -> int | None:
    return None if start is None or stop is None else stop - start


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
