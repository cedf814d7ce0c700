"""The files that a host has written into an entry of the cache: as many as it must, and whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.errors import CacheError
from pytest_infer.storage.digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    Make = Callable[[Path], dict[str, Any]]


def content_digest(digests: Mapping[str, str]) -> str:
    """Return the digest of an entry's content: of its file, or of all with their names.

    Weights that an ONNX file keeps in files beside it are as much a part of it as its nodes.
    """
    if len(digests) == 1:
        (digest,) = digests.values()
        return digest
    return digest_of(dict(digests))


def checked(make: Make, suffix: str = "") -> Make:
    """Return ``make`` that fails if it leaves no file, or several, of ``suffix``."""

    def checked(folder: Path) -> dict[str, Any]:
        facts = make(folder)
        only((path.name for path in folder.iterdir()), folder, suffix)
        return facts

    return checked


def only(names: Iterable[str], folder: Path, suffix: str = "") -> str:
    """Return the only name of ``suffix`` among those in ``folder``; raise `CacheError`."""
    present = sorted(names)
    found = [name for name in present if name.endswith(suffix)]
    if len(found) == 1:
        return found[0]
    raise CacheError(
        f"{folder} has {len(found)} {suffix or 'weights'} files instead of one",
        why=f"there is {', '.join(present) or 'nothing'} in it",
        mend="delete the folder and run again. If it happens again, the host writes other files "
        "than it reports",
    )
