"""Look into folders of baselines: what is not there is one thing, what nobody may read another."""

from __future__ import annotations

import os
from stat import filemode
from typing import TYPE_CHECKING

from pytest_infer.errors import BaselineError
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from pathlib import Path


def files_in(folder: Path) -> list[str]:
    """Return the names of the files in ``folder``, sorted; raise `BaselineError`."""
    return [each.name for each in _entries(folder) if not each.is_dir(follow_symlinks=False)]


def folders_in(folder: Path) -> list[str]:
    """Return the names of what is no file in ``folder``, links too, sorted; as `files_in`."""
    return [each.name for each in _entries(folder) if not each.is_file(follow_symlinks=False)]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in ``folder``, nothing without one."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda each: each.name)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise unreadable(folder, error) from error


def is_there(path: Path) -> bool:
    """Return whether there is anything at ``path``; raise `BaselineError` if nobody may look."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    return True


def unreadable(path: Path, error: OSError | ValueError) -> BaselineError:
    """Return the error for a path that is there, as far as is known, and cannot be read."""
    why = f"{type(error).__name__}: {getattr(error, 'strerror', '') or error}"
    if not isinstance(error, PermissionError):
        return BaselineError(
            f"cannot read {shown(str(path))}",
            why=why,
            mend="put that right, or name another folder (--infer-baselines=DIR)",
        )
    closed = _closed(path)
    return BaselineError(
        f"cannot read {shown(str(path))}",
        why=f"{why}: user {os.geteuid()} may not read {closed} ({_mode(closed)})",
        mend=f"let this user read it (chmod u+rX {closed}, or ask who owns it), or name another "
        "folder (--infer-baselines=DIR)",
    )


def _closed(path: Path) -> Path:
    """Return the outermost folder on the way to ``path`` that this user may not search or read."""
    for folder in reversed(path.parents):
        if not os.access(folder, os.X_OK, effective_ids=True):
            return folder
    return path


def _mode(path: Path) -> str:
    try:
        facts = path.lstat()
    except OSError:
        return "unknown"
    return f"{filemode(facts.st_mode)}, of user {facts.st_uid}"
