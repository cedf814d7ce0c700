"""Find baselines: by name, by path, or by the device they belong to."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.baselines.folder import DEVICE_FILE, Baselines, Fingerprint, is_same_device
from pytest_infer.baselines.listing import folders_in, is_there
from pytest_infer.errors import OptionError, unknown
from pytest_infer.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


def available(folders: Iterable[Path]) -> list[str]:
    """Return the names of the baselines in ``folders``, sorted."""
    return sorted({baselines.name for baselines in _all(folders)})


def resolve(wanted: str, folders: Sequence[Path]) -> Baselines:
    """Return the baselines of a NAME in ``folders``, the first folder winning, or of a PATH.

    What holds a separator is a path; a name leads nowhere else, not even by a link. Raise
    `OptionError` with the nearest name.
    """
    if _is_path(wanted):
        return _at(Path(wanted))
    for folder in folders if _NAME.fullmatch(wanted) else ():
        if is_there(folder / wanted / DEVICE_FILE):
            return Baselines(_within(folder, wanted))
    raise unknown("baseline", shown(wanted), available(folders))


def destination(wanted: str, folder: Path) -> Path:
    """Return where the baselines of a NAME or PATH are stored; they need not exist yet."""
    if _is_path(wanted):
        return Path(wanted)
    if not _NAME.fullmatch(wanted):
        raise OptionError(
            f"cannot store baselines as '{shown(wanted)}'",
            why="a name has lower-case letters, digits, dots, dashes and underscores only",
            mend="choose another name, or give a path with a separator in it",
        )
    return _within(folder, wanted)


def match_device(present: Fingerprint, folders: Iterable[Path]) -> Baselines | None:
    """Return the baselines of the ``present`` device, None if there are none.

    Every item of the stored fingerprint must be the present one's. The most items win, then
    measured ones, then the first folder, then the name.
    """
    matching = [each for each in _all(folders) if is_same_device(each.fingerprint, present)]
    return max(
        matching,
        key=lambda each: (len(each.fingerprint), not each.is_published),
        default=None,
    )


def _is_path(wanted: str) -> bool:
    return any(separator in wanted for separator in (os.sep, os.altsep) if separator)


def _within(folder: Path, name: str) -> Path:
    """Return the folder of a name; raise `OptionError` if it is a link that leads elsewhere."""
    place = folder / name
    if not _leads_out(place):
        return place
    raise OptionError(
        f"{name} is not in {folder}",
        why=f"it is a link to {place.resolve()}",
        mend=f"name that folder by its path: --gpu-baseline={place.resolve()}",
    )


def _leads_out(place: Path) -> bool:
    try:
        return place.resolve().parent != place.parent.resolve()
    except (OSError, RuntimeError):  # Python's word for a loop of links, before 3.13
        return True


def _at(folder: Path) -> Baselines:
    if not is_there(folder / DEVICE_FILE):
        raise OptionError(
            f"no baselines at {shown(str(folder))}",
            why=f"it holds no {DEVICE_FILE}",
            mend="give a folder that --update-baselines has written, or a name without a separator",
        )
    return Baselines(folder)


def _all(folders: Iterable[Path]) -> list[Baselines]:
    """Return what has a device's file, the links that lead elsewhere apart."""
    return [
        Baselines(folder / name)
        for folder in folders
        for name in folders_in(folder)
        if _NAME.fullmatch(name)
        and is_there(folder / name / DEVICE_FILE)
        and not _leads_out(folder / name)
    ]
