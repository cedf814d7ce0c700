"""The heap of a process in which nothing is timed: what is freed stays there, to be used again.

glibc returns every large array to the system as soon as it is freed, and takes a new one, page by
page, for the next layer. A process that keeps them infers faster (``benchmarks/kept_memory.py``).
The memory is given back once an engine is closed.
"""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache, wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    Arguments = ParamSpec("Arguments")
    Result = TypeVar("Result")

FREED_MEMORY, KEPT = "INFER_FREED_MEMORY", "kept"
"""The variable, and its value in a host that keeps what is freed."""

_MOST_MMAPS, _LEAST_TO_TRIM = -4, -1
"""Parameters of ``mallopt``, from ``malloc.h``."""

_MOST = 2**31 - 1


def keep_as_told() -> None:
    """Keep what will be freed if the environment says so: no array is a mapping of its own."""
    if os.environ.get(FREED_MEMORY) == KEPT and _has_glibc():
        library = ctypes.CDLL(None)
        library.mallopt(_MOST_MMAPS, 0)
        library.mallopt(_LEAST_TO_TRIM, _MOST)


def leaves_memory(operation: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return an operation after which what is free is given back: the next one may not need it."""

    @wraps(operation)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return operation(*args, **kwargs)
        finally:
            give_back()

    return run


def give_back() -> None:
    """Give what is free to the system, where the C library keeps it."""
    if _has_glibc():
        ctypes.CDLL(None).malloc_trim(0)


@cache
def _has_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"
