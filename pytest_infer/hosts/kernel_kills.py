"""How many processes the kernel has killed for lack of memory."""

from __future__ import annotations

from pathlib import Path

COUNTERS = Path("/proc/vmstat")
COUNTER = "oom_kill "


def memory_kills(counters: Path = COUNTERS) -> int | None:
    """Return Linux's count since this machine has started; None where it gives none."""
    try:
        lines = counters.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(COUNTER)), None)
