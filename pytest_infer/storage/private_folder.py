"""A folder into which nobody else can put anything."""

from __future__ import annotations

import os
from stat import S_IWGRP, S_IWOTH, filemode
from typing import TYPE_CHECKING

from pytest_infer.errors import CacheError

if TYPE_CHECKING:
    from pathlib import Path

MEND = "name a folder you can write to with --infer-cache=DIR"


def private_folder(path: Path, cache: Path | None = None) -> Path:
    """Return ``path`` without links, made if it is not there; the folder of ``cache`` or in it.

    What is opened from a cache runs as this user, so that a folder of another user's, or one that
    others can write to, is refused: raise `CacheError`.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = path.resolve(strict=True)
        facts = place.stat()
    except (OSError, RuntimeError) as error:  # Python's word for a loop of links, before 3.13
        raise unusable(cache or path, str(error)) from error
    if facts.st_uid != os.geteuid():
        why = f"{place} belongs to user {facts.st_uid}, and this is user {os.geteuid()}"
        raise unusable(cache or path, why, "name a folder that is yours with --infer-cache=DIR")
    if is_open_to_others(facts):
        why = f"others can write to {place} ({filemode(facts.st_mode)})"
        raise unusable(cache or path, why, f"chmod go-w {place}, after a look at what is in it")
    return place


def is_open_to_others(facts: os.stat_result) -> bool:
    """Return whether anybody but its owner can put something into a folder."""
    return bool(facts.st_mode & (S_IWGRP | S_IWOTH))


def unusable(cache: Path, why: str, mend: str = MEND) -> CacheError:
    """Return the error for a cache folder."""
    return CacheError(f"cannot use the cache folder {cache}", why=why, mend=mend)
