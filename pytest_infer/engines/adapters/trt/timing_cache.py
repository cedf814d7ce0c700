"""TensorRT's timing cache: how fast each kernel was, kept between builds in one file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.adapters.trt.versions import given, logger
from pytest_infer.engines.kept_timings import join_timings
from pytest_infer.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

MEND = (
    "it is of another TensorRT or GPU, or damaged: restore it from version control, or delete it "
    "and run with --update-baselines; trt.timing_cache=fresh builds without it"
)


def timing_cache_path(folder: Path, version: str, gpu: str) -> Path:
    """Return the file in ``folder`` for one TensorRT and one kind of GPU; others cannot use it."""
    name = "-".join(re.findall(r"[a-z0-9.]+", f"{version} {gpu}".lower()))
    return folder / f"timing-cache-{name}.bin"


def use_timing_cache(config: Any, timings: bytes) -> bool:
    """Let ``config`` start from ``timings``; return whether there were any that it accepts."""
    cache = config.create_timing_cache(timings) if timings else None
    if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
        return True
    # TensorRT greets an empty cache with an error about Myelin's, which means nothing.
    config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)
    return False


def store_timing_cache(config: Any, path: Path) -> None:
    """Write the timings of a finished build to ``path``, beside those that came there meanwhile.

    What is there stays: the build started from it, or another one has timed it since.
    """
    cache = config.get_timing_cache()
    if cache is not None:
        built = bytes(memoryview(cache.serialize()))
        join_timings(path, built, lambda new, there: merged(there, new))


def merged(first: bytes, second: bytes) -> bytes:
    """Return all of two timing caches, of the first where both have a kernel.

    The current GPU is theirs. Raise `BuildError` for one that this TensorRT does not take on it.
    """
    import tensorrt

    builder = tensorrt.Builder(logger())
    for each in (first, second):
        _check(builder, each)
    if not first or not second:
        return first or second
    config = builder.create_builder_config()
    cache = _read(config, first)
    # 8.6 says False if one has no timings of Myelin, and has joined the kernels all the same.
    cache.combine(_read(config, second), ignore_mismatch=False)
    return bytes(memoryview(cache.serialize()))


def _check(builder: Any, timings: bytes) -> None:
    """Raise `BuildError` for a timing cache that is of another TensorRT or GPU."""
    config = builder.create_builder_config()  # each takes one cache, and refuses a second one
    if timings and not config.set_timing_cache(_read(config, timings), ignore_mismatch=False):
        raise BuildError(
            "cannot start from the kept timing cache",
            why="TensorRT does not accept it for this version and GPU",
            mend=MEND,
        )


def _read(config: Any, timings: bytes) -> Any:
    return given(config.create_timing_cache(timings), "create_timing_cache")
