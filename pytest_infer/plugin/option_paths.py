"""Read the paths of options: what cannot be a path is refused where it is read."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_infer.errors import OptionError
from pytest_infer.plain_text import shown

MOST_BYTES = 4095
"""Linux's PATH_MAX, without the null byte."""

MOST_NAME_BYTES = 255
"""Linux's NAME_MAX."""


def path_from_text(flag: str, text: str) -> Path:
    """Return the path that ``text`` is, a user's home in it found; it need not exist."""
    if why := _fault(text):
        raise _refused(flag, text, why, "name a shorter path, of characters that files may have")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        mend = "write the path from the root on, or ./~NAME for a folder of that name"
        raise _refused(flag, text, str(error), mend) from error


def folder_from_text(flag: str, text: str, others: str = "") -> Path:
    """Return the absolute path of a folder that exists; ``others`` are words that do as well."""
    path = path_from_text(flag, text)
    try:
        if path.is_dir():
            return path.resolve()
        why = "it is a file" if path.exists() else f"there is nothing at {path.absolute()}"
    except (OSError, RuntimeError) as error:  # Python's word for a loop of links, before 3.13
        why = str(error)
    mend = f"name a folder that exists{others}{_nearby(path)}"
    raise OptionError(f"{flag}={shown(str(path))} is not a folder", why=why, mend=mend)


def _fault(text: str) -> str:
    """Return why no file can have this path; empty if one can."""
    if "\0" in text:
        return "it holds a null byte"
    try:
        names = os.fsencode(text).split(b"/")
    except UnicodeEncodeError:
        return "it holds a character that no file's name can have"
    if sum(map(len, names)) + len(names) - 1 > MOST_BYTES:
        return f"a path has at most {MOST_BYTES} bytes"
    if max(map(len, names)) > MOST_NAME_BYTES:
        return f"a name in a path has at most {MOST_NAME_BYTES} bytes"
    return ""


def _refused(flag: str, text: str, why: str, mend: str) -> OptionError:
    return OptionError(f"{flag}={shown(text)} is not valid", why=why, mend=mend)


def _nearby(path: Path) -> str:
    """Return the folder beside ``path`` that may be meant, as far as one can look."""
    from difflib import get_close_matches

    try:
        names = [each.name for each in path.parent.iterdir() if each.is_dir()]
    except OSError:
        return ""
    near = get_close_matches(path.name, names, n=1)
    return f"; did you mean {path.parent / near[0]}?" if near else ""
