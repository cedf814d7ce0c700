"""Which core of a CPU is the quietest, and keeping this process on one."""

from __future__ import annotations

import os
from time import sleep
from typing import TYPE_CHECKING

from pytest_infer.devices.cpu_watch import IDLE, STAT

if TYPE_CHECKING:
    from pathlib import Path

WATCHED_S = 0.2


def quietest_core(stat: Path = STAT, watched_s: float = WATCHED_S) -> int | None:
    """Return the core that was idle for longest within ``watched_s``, of those we may use.

    None where the kernel does not say.
    """
    before = _idle(stat)
    sleep(watched_s)
    after = _idle(stat)
    ours = os.sched_getaffinity(0)
    idle = {core: after[core] - before[core] for core in before if core in after and core in ours}
    return max(idle, key=lambda core: idle[core]) if idle else None


def stay_on(core: int) -> None:
    """Keep this thread, and all that it starts from now on, on one core."""
    os.sched_setaffinity(0, {core})


def _idle(stat: Path) -> dict[int, int]:
    """Return for how long each core was idle, in the kernel's ticks."""
    try:
        lines = [line.split() for line in stat.read_text().splitlines()]
    except OSError:
        return {}
    return {
        int(line[0].removeprefix("cpu")): sum(int(line[1 + place]) for place in IDLE)
        for line in lines
        if line and line[0].removeprefix("cpu").isdecimal()
    }
