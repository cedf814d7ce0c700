"""Whether the CPU was ours while calls were timed."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import NamedTuple

DELAY_SHARE = 0.02
"""Of a round's wall time: threads that waited longer for a core were disturbed."""

TASKS = Path("/proc/self/task")
PRESSURE = Path("/proc/pressure/cpu")


class Mark(NamedTuple):
    """Counters of this process, or of the machine, before a round."""

    source: str
    value: int


class CpuWatch:
    """Reads for how long this process' threads were ready to run and had no core.

    The kernel's own count per thread (``/proc/PID/task/TID/schedstat``, second field, ns) if there
    is one, else the machine's pressure stall time (``/proc/pressure/cpu``, us), else the number of
    involuntary context switches.
    """

    def __init__(self, tasks: Path = TASKS, pressure: Path = PRESSURE) -> None:
        self._tasks = tasks
        self._pressure = pressure

    def mark(self) -> Mark:
        """Return the counters as they are now."""
        delay = self._run_queue_delay_ns()
        if delay is not None:
            return Mark("run-queue", delay)
        stalled = self._stalled_ns()
        if stalled is not None:
            return Mark("pressure", stalled)
        return Mark("switched", resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw)

    def disturbance(self, since: Mark, wall_ns: int) -> str | None:
        """Return why the round since a mark is no good: the counter's name; None if it is."""
        now = self.mark()
        if now.source != since.source:
            return now.source
        moved = now.value - since.value
        limit = 0 if now.source == "switched" else wall_ns * DELAY_SHARE
        return now.source if moved > limit else None

    def report(self) -> dict[str, float | str]:
        """Return what is known of the machine's state: the load of the last minute."""
        return {"load": float(Path("/proc/loadavg").read_text().split()[0])}

    def _run_queue_delay_ns(self) -> int | None:
        delays = [_delay_ns(task) for task in self._tasks.glob("*/schedstat")]
        return sum(delays) if delays and min(delays) >= 0 else None

    def _stalled_ns(self) -> int | None:
        try:
            some = self._pressure.read_text().splitlines()[0]
            return int(some.rpartition("total=")[2]) * 1000
        except (OSError, IndexError, ValueError):
            return None


def _delay_ns(task: Path) -> int:
    """Return for how long a thread waited; 0 if it has ended meanwhile, -1 if nobody counts."""
    try:
        return int(task.read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except (OSError, IndexError, ValueError):
        return -1
