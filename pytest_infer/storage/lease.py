"""Mark what this process uses in a cache, so that nobody removes it meanwhile.

The mark is a shared lock on a file, which the kernel gives back when the process ends, however
that happens.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_HELD: dict[Path, int] = {}
"""The open file behind each mark: of the process and not of an object, for what was opened from a
folder is used until the process ends."""


def hold(file: Path) -> None:
    """Mark ``file`` as used until this process ends; again, if it was replaced since."""
    held = _HELD.get(file)
    if held is not None:
        if os.path.samestat(os.fstat(held), file.stat()):
            return
        os.close(_HELD.pop(file))
    handle = os.open(file, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    _HELD[file] = handle


def is_held(file: Path) -> bool:
    """Return whether a living process, this one too, uses ``file``."""
    try:
        handle = os.open(file, os.O_RDWR)  # over NFS an exclusive lock wants a file to write to
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
