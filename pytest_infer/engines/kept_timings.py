"""The file in which builds keep the timings of kernels; builds at the same time lose none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def join_timings(path: Path, timings: bytes, merge: Callable[[bytes, bytes], bytes]) -> None:
    """Put ``timings`` into the file at ``path``, beside what is there.

    Of a kernel that both have, those given now are kept.
    """
    with FileLock(path.with_suffix(".lock")):
        there = path.read_bytes() if path.is_file() else b""
        draft = path.with_suffix(".draft")
        draft.write_bytes(merge(timings, there))
        os.replace(draft, path)  # noqa: PTH105 - the documented atomic call
