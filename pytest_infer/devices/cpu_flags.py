"""Which instructions this machine's CPU has, by the kernel's names."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


@cache
def cpu_flags(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """Return the flags of an x86 CPU (``avx2``, ``avx512_vnni``); none where nobody tells.

    A virtual machine may lack what its CPU's name stands for.
    """
    try:
        content = cpuinfo.read_text(errors="replace")
    except OSError:
        return frozenset()
    found = re.search(r"^flags[ \t]*:(.*)", content, re.MULTILINE)
    return frozenset(found[1].split()) if found else frozenset()
