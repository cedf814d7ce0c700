"""JSON files that people read, diff and merge: strict when read, atomic when written."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_infer.errors import BaselineError

if TYPE_CHECKING:
    from pathlib import Path

SIZE_LIMIT_BYTES = 4 * 1024 * 1024
"""Some ten thousand baseline entries; a larger file is none of ours."""


class _RefusedError(Exception):
    """A value that strict JSON does not allow."""


def read_json(path: Path) -> Any:
    """Return what ``path`` holds.

    Raise `BaselineError`, naming file and line or key, if it is unreadable, too large, not UTF-8,
    not JSON, nested too deep, or if an object has a key twice or a number is not finite.
    """
    content = _content(path)
    try:
        return json.loads(
            content.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}:{error.colno}"
        raise _broken(path, f"{place}: {error.msg}{_conflict(content)}") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _broken(path, f"{path}:{line}: not UTF-8") from error
    except RecursionError as error:
        raise _broken(path, "it is nested too deep") from error
    except (_RefusedError, ValueError) as error:
        raise _broken(path, str(error)) from error


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` by ``value`` at once: a reader sees the old file or the new one.

    Keys are sorted, two spaces indent, a newline ends the file. The caller holds a lock, or knows
    that nobody else writes.
    """
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)  # noqa: PTH105 - the documented atomic call
    except OSError as error:
        raise BaselineError(
            f"cannot write {path}",
            why=f"{type(error).__name__}: {error.strerror}",
            mend="let this user write to the folder, or name another one (--infer-baselines)",
        ) from error


def _content(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise _broken(path, "it is not a regular file")
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT_BYTES + 1)
    except OSError as error:
        raise _broken(path, f"{type(error).__name__}: {error.strerror}") from error
    if len(content) > SIZE_LIMIT_BYTES:
        raise _broken(path, f"it is larger than {SIZE_LIMIT_BYTES} bytes")
    return content


def _broken(path: Path, why: str) -> BaselineError:
    return BaselineError(
        f"cannot read {path}",
        why=why,
        mend="restore it from version control, or delete it and run with --update-baselines",
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _RefusedError(f"the key {twice!r} appears twice in one object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise _RefusedError(f"{name} is not a JSON number")


def _conflict(content: bytes) -> str:
    return " (it holds merge conflict markers)" if b"<<<<<<< " in content else ""
