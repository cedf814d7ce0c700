"""Where this user's runs on this machine keep the locks by which they exclude each other."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from pytest_infer.errors import CacheError
from pytest_infer.storage.private_folder import private_folder
from pytest_infer.storage.user_cache import user_cache

if TYPE_CHECKING:
    from collections.abc import Callable

LOCKS = "locks"
RUNTIME = "XDG_RUNTIME_DIR"


def lock_folder() -> Path:
    """Return the first place that is this user's alone and can be written to.

    In turn: the user's cache, ``XDG_RUNTIME_DIR``, the temporary folder by the user's number. Runs
    with the same environment choose the same, whichever comes first. Raise `CacheError` if none
    will do.
    """
    faults = []
    for find in (user_cache, _runtime, _temporary):
        found = _tried(find)
        if isinstance(found, Path):
            return found
        faults.append(found)
    raise CacheError(
        "cannot use any folder for the locks of devices",
        why="\n".join(faults),
        mend="set HOME, XDG_CACHE_HOME, XDG_RUNTIME_DIR or TMPDIR to a folder that is yours",
    )


def _tried(find: Callable[[], Path]) -> Path | str:
    """Return the folder of locks in a place, or why it cannot be used."""
    try:
        folder = private_folder(find() / LOCKS)
    except CacheError as error:
        return error.why
    is_writable = os.access(folder, os.W_OK | os.X_OK)
    return folder if is_writable else f"{folder} cannot be written to"


def _runtime() -> Path:
    """Return the user's folder of this login, which systemd makes."""
    named = Path(os.environ.get(RUNTIME, ""))
    if not named.is_absolute():
        raise _no_place(f"{RUNTIME} names no folder")
    return named / "pytest-infer"


def _temporary() -> Path:
    """Return the user's folder among the temporary ones, which is no link of somebody else's."""
    try:
        named = Path(gettempdir(), f"pytest-infer-{os.geteuid()}")
    except OSError as error:
        raise _no_place(str(error)) from error
    if named.is_symlink():
        raise _no_place(f"{named} is a link")
    return private_folder(named)


def _no_place(why: str) -> CacheError:
    return CacheError("cannot keep locks", why=why, mend="name another folder")
