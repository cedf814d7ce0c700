"""What a cache holds, and what goes when that is too much: the unused, the oldest first."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.errors import CacheError
from pytest_infer.storage.lease import is_held
from pytest_infer.units import BYTES_PER_GB

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "PYTEST_INFER_CACHE_GB"
"""Of the environment, which engine hosts inherit: they build into the cache too."""

DEFAULT_GB = 20.0

MANIFEST = "manifest.json"
DRAFT = ".draft-"
"""Begins the name of a folder that is being made, or whose maker was killed."""


@dataclass(frozen=True)
class StoredFolder:
    """One entry's folder, or the draft of one."""

    kind: str
    folder: Path
    size_bytes: int
    used_s: float
    """When it was last asked for, in seconds since the epoch."""

    @property
    def is_draft(self) -> bool:
        """Return whether it is not an entry yet, or never will be."""
        return self.folder.name.startswith(DRAFT)

    @property
    def is_used(self) -> bool:
        """Return whether a living process uses it."""
        return is_held(self.folder / MANIFEST)


def lock_of(folder: Path) -> Path:
    """Return the file whose lock an entry's maker holds; it stays when the entry goes."""
    return folder.with_name(folder.name.removeprefix(DRAFT) + ".lock")


def stored_folders(root: Path) -> list[StoredFolder]:
    """Return every entry and draft, those that were unused for longest first."""
    found = [
        StoredFolder(folder.parent.name, folder, *_size_and_use(folder))
        for folder in root.glob("*/*")
        if lock_of(folder).is_file() and folder.is_dir() and not folder.is_symlink()
    ]
    return sorted(found, key=lambda each: (each.used_s, each.folder))


def evict(root: Path, limit_bytes: int) -> list[StoredFolder]:
    """Remove abandoned drafts, and entries until what is left fits; return what has gone.

    What a living process uses or makes stays, even if that is too much.
    """
    found = stored_folders(root)
    total_bytes = sum(each.size_bytes for each in found)
    gone = []
    for each in found:
        if (each.is_draft or total_bytes > limit_bytes) and remove(each):
            total_bytes -= each.size_bytes
            gone.append(each)
    return gone


def remove(stored: StoredFolder) -> bool:
    """Remove an entry unless a living process makes or uses it; return whether it has gone.

    It goes at once: nobody sees a part of it, whatever happens meanwhile.
    """
    from filelock import FileLock, Timeout

    try:
        with FileLock(lock_of(stored.folder), timeout=0):
            if not stored.is_draft and stored.is_used:
                return False
            draft = stored.folder
            if not stored.is_draft:
                draft = stored.folder.with_name(DRAFT + stored.folder.name)
                shutil.rmtree(draft, ignore_errors=True)
                stored.folder.rename(draft)
            shutil.rmtree(draft)
    except (OSError, Timeout):  # it is in use, or gone already, or cannot be removed
        return False
    return True


def limit_bytes() -> int:
    """Return how large a cache may become, as the environment says; raise `CacheError`."""
    text = os.environ.get(VARIABLE, "")
    try:
        size_gb = float(text) if text else DEFAULT_GB
    except ValueError:
        size_gb = 0.0
    if not 0 < size_gb < float("inf"):
        raise CacheError(
            f"{VARIABLE}={text} is not valid",
            why="it takes a positive number of gigabytes",
            mend=f"for example {VARIABLE}={DEFAULT_GB:g}, or leave it out",
        )
    return int(size_gb * BYTES_PER_GB)


def _size_and_use(folder: Path) -> tuple[int, float]:
    """Return the bytes of a folder's files and its time of use; nothing of one that is gone."""
    try:
        used_s = folder.stat().st_mtime
    except OSError:
        return 0, 0.0
    return sum(_sizes(folder)), used_s


def _sizes(folder: Path) -> Iterator[int]:
    """Yield the sizes of what is there; what others have moved or removed is passed over."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with suppress(OSError):
                yield Path(place, name).lstat().st_size
