"""TensorRT's timing cache: how fast each kernel was, kept between builds in one file."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from filelock import FileLock

if TYPE_CHECKING:
    from pathlib import Path


def timing_cache_path(folder: Path, version: str, gpu: str) -> Path:
    """Return the file in ``folder`` for one TensorRT and one kind of GPU; others cannot use it."""
    name = "-".join(re.findall(r"[a-z0-9.]+", f"{version} {gpu}".lower()))
    return folder / f"timing-cache-{name}.bin"


def use_timing_cache(config: Any, path: Path) -> bool:
    """Give ``config`` the timings in ``path``; return whether there were any that it accepts."""
    stored = path.read_bytes() if path.is_file() else b""
    cache = config.create_timing_cache(stored) if stored else None
    if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
        return True
    # TensorRT greets an empty cache with an error about Myelin's, which means nothing.
    config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)
    return False


def store_timing_cache(config: Any, path: Path) -> None:
    """Write the timings of a finished build to ``path``, with those that came there meanwhile."""
    cache = config.get_timing_cache()
    if cache is None:
        return
    with FileLock(path.with_suffix(".lock")):
        stored = path.read_bytes() if path.is_file() else b""
        other = config.create_timing_cache(stored) if stored else None
        if other is not None:
            cache.combine(other, ignore_mismatch=False)
        draft = path.with_suffix(".draft")
        draft.write_bytes(memoryview(cache.serialize()))
        os.replace(draft, path)  # noqa: PTH105 - the documented atomic call
