"""Whether the CPU was ours while calls were timed."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from time import process_time_ns
from typing import NamedTuple

from pytest_infer.units import NS_PER_S

DELAY_SHARE = 0.02
"""Of a round's wall time: threads that waited longer for a core were disturbed."""

NEIGHBOUR_SHARE = 0.25
"""Of the machine: what others may use. On another core they take memory bandwidth and cache."""

TASKS = Path("/proc/self/task")
PRESSURE = Path("/proc/pressure/cpu")
STAT = Path("/proc/stat")

IDLE = (3, 4)
"""Fields of ``/proc/stat`` that are no work: idle, and idle for a disk."""


class Mark(NamedTuple):
    """Counters of this process and of the machine, before a round."""

    source: str
    delay: int
    """Of ``source``."""
    busy_ns: int | None
    """What all processes have used of all cores; None if it is not known."""
    own_ns: int
    """What this one has used."""


class CpuWatch:
    """Reads whether threads waited for a core, and whether others were busy beside them.

    Waiting is the kernel's own count per thread (``/proc/PID/task/TID/schedstat``, second field,
    ns) if there is one, else the machine's pressure stall time (``/proc/pressure/cpu``, us), else
    the number of involuntary context switches. Others are all that ``/proc/stat`` has counted as
    work, or as stolen by the hypervisor, less this process; it counts in hundredths of a second.
    """

    def __init__(self, tasks: Path = TASKS, pressure: Path = PRESSURE, stat: Path = STAT) -> None:
        self._tasks = tasks
        self._pressure = pressure
        self._stat = stat
        self._cores = os.cpu_count() or 1

    def mark(self) -> Mark:
        """Return the counters as they are now."""
        return Mark(*self._waited(), self._busy_ns(), process_time_ns())

    def disturbance(self, since: Mark, wall_ns: int) -> str | None:
        """Return why the round since a mark is no good, None if it is.

        The name of the counter of waiting, or ``neighbour``.
        """
        now = self.mark()
        limit = 0 if now.source == "switched" else wall_ns * DELAY_SHARE
        if now.source != since.source or now.delay - since.delay > limit:
            return now.source
        if now.busy_ns is None or since.busy_ns is None:
            return None
        others_ns = now.busy_ns - since.busy_ns - (now.own_ns - since.own_ns)
        return "neighbour" if others_ns > NEIGHBOUR_SHARE * self._cores * wall_ns else None

    def waited_ns(self, since: Mark) -> int:
        """Return for how long our threads waited for a core since a mark; 0 if nobody counts."""
        source, delay = self._waited()
        return delay - since.delay if source == since.source == "run-queue" else 0

    def _waited(self) -> tuple[str, int]:
        delay = self._run_queue_delay_ns()
        if delay is not None:
            return "run-queue", delay
        stalled = self._stalled_ns()
        if stalled is not None:
            return "pressure", stalled
        return "switched", resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw

    def _busy_ns(self) -> int | None:
        try:
            fields = self._stat.read_text().splitlines()[0].split()[1:9]
            busy = sum(int(each) for place, each in enumerate(fields) if place not in IDLE)
        except (OSError, IndexError, ValueError):
            return None
        return busy * NS_PER_S // os.sysconf("SC_CLK_TCK")

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
