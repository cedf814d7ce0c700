"""Find out whether a maker failed for lack of room: each library words it in another way."""

from __future__ import annotations

import os
import shutil
from errno import EDQUOT, EFBIG, ENOSPC, EROFS
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from pytest_infer.errors import CacheError, InferError

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_ROOM = (EDQUOT, EFBIG, ENOSPC, EROFS)
"""Errors of a maker that are the folder's fault."""

LEAST_FREE_BYTES = 1 << 20
"""With less than this no engine is built; a writer that fails may leave a part of it free."""

_WORDS = tuple(word for code in NO_ROOM for word in (os.strerror(code), f"os error {code})"))
"""How C libraries, Python and Rust say so, whatever type their error has."""


def lack_of_room(error: BaseException, cache: Path) -> CacheError | None:
    """Return the error of a folder without room if that is why ``error`` came up, else None.

    It is the cache's folder, in which a maker wrote and from which nothing has been removed yet, or
    the temporary one.
    """
    places = (cache, _temporary())
    full = next((each for each in places if each and _free_bytes(each) < LEAST_FREE_BYTES), None)
    if full is None and not any(map(_speaks_of_room, _chain(error))):
        return None
    is_cache = full in {None, cache}
    kind, way = ("cache", "--infer-cache") if is_cache else ("temporary", "TMPDIR")
    return CacheError(
        f"cannot use the {kind} folder {full or cache}",
        why=_told(error) + (f"\n{_room(full)}" if full else ""),
        mend=f"make room there, or name another folder with {way}=DIR",
    )


def _room(place: Path) -> str:
    try:
        usage = shutil.disk_usage(place)
    except OSError as error:
        return str(error)
    return f"{usage.free} of {usage.total} bytes are free in {place}"


def _free_bytes(place: Path) -> float:
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return float("inf")


def _temporary() -> Path | None:
    try:
        return Path(gettempdir())
    except OSError:
        return None


def _speaks_of_room(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return True
    return any(word in _told(error) for word in _WORDS)


def _told(error: BaseException) -> str:
    return error.why if isinstance(error, InferError) else f"{type(error).__name__}: {error}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Give an error, what caused it, what caused that."""
    seen: list[BaseException] = []
    waiting: BaseException | None = error
    while waiting is not None and waiting not in seen:
        seen.append(waiting)
        yield waiting
        waiting = waiting.__cause__ or waiting.__context__
