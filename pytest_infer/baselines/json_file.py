"""JSON files that people read, diff and merge: strict when read, atomic when written."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

from pytest_infer.baselines.listing import unreadable
from pytest_infer.errors import BaselineError
from pytest_infer.storage.strict_json import SIZE_LIMIT_BYTES, parsed

if TYPE_CHECKING:
    from pathlib import Path


def read_json(path: Path) -> Any:
    """Return what ``path`` holds.

    Raise `BaselineError`, naming file and line or key, if it is no file, unreadable, or not what
    `strict_json.parsed` takes.
    """
    content = _content(path)
    try:
        return parsed(content)
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}:{error.colno}"
        raise _broken(path, f"{place}: {error.msg}{_conflict(content)}") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _broken(path, f"{path}:{line}: not UTF-8") from error
    except ValueError as error:
        raise _broken(path, str(error)) from error


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` by ``value`` at once: a reader sees the old file or the new one.

    Keys are sorted, two spaces indent, a newline ends the file. Raise `BaselineError`, the old file
    untouched, for what `read_json` would refuse, and if the disk does. The caller holds a lock, or
    knows that nobody else writes.
    """
    try:
        text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
        content = f"{text}\n".encode()
        parsed(content)
    except ValueError as error:
        raise BaselineError(
            f"cannot write {path}",
            why=f"nobody could read it again: {error}",
            mend="delete entries that nothing uses any more, or choose another --gpu-baseline=NAME",
        ) from error
    write_content(path, content)


def write_content(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` at once; raise `BaselineError` if the disk does."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)  # noqa: PTH105 - the documented atomic call
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise BaselineError(
            f"cannot write {path}",
            why=f"{type(error).__name__}: {error.strerror}",
            mend="let this user write to the folder, or name another one (--infer-baselines)",
        ) from error


def _sync_folder(folder: Path) -> None:
    """Let the replaced name outlive a power failure, as the content does."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _content(path: Path) -> bytes:
    try:
        if not S_ISREG(path.stat().st_mode):
            raise _broken(path, "it is not a regular file")
        with path.open("rb") as file:
            return file.read(SIZE_LIMIT_BYTES + 1)
    except PermissionError as error:
        raise unreadable(path, error) from error
    except OSError as error:
        raise _broken(path, f"{type(error).__name__}: {error.strerror}") from error


def _broken(path: Path, why: str) -> BaselineError:
    return BaselineError(
        f"cannot read {path}",
        why=why,
        mend="restore it from version control, or delete it and run with --update-baselines",
    )


def _conflict(content: bytes) -> str:
    return " (it holds merge conflict markers)" if b"<<<<<<< " in content else ""
