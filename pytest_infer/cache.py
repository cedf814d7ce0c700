"""Keep what is slow to make on disk, found again by what it was made from."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from tempfile import mkstemp
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """A folder in the cache whose files have been checked, and how it came there."""

    folder: Path
    facts: Mapping[str, Any]
    """What its maker said of it."""
    digests: Mapping[str, str]
    """SHA-256 of each file."""
    is_new: bool
    """It was made now rather than found."""
    notice: str = ""
    """Why an entry that was found had to be made again."""


class Cache:
    """A folder of entries, each made once by whoever comes first, on any number of processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise self._unusable(error) from error

    def entry(
        self, kind: str, key: Mapping[str, Any], make: Callable[[Path], Mapping[str, Any]]
    ) -> Entry:
        """Return the entry for ``key``, made by ``make`` in an empty folder if there is none.

        An entry becomes visible whole or not at all. One whose files differ from its manifest
        is made again, with a notice.
        """
        folder = self.root / kind / digest_of(key)[:32]
        with self._locked(folder):
            found = read_entry(folder)
            if isinstance(found, Entry):
                os.utime(folder)
                return found
            return self._made(folder, key, make, notice=found)

    @contextmanager
    def token(self) -> Iterator[tuple[Path, str]]:
        """Give a new file here and its random content: who reads the same sees this folder."""
        content = token_hex()
        try:
            handle, name = mkstemp(prefix=".token-", dir=self.root)
        except OSError as error:
            raise self._unusable(error) from error
        os.close(handle)
        path = Path(name)
        try:
            path.write_text(content)
            yield path, content
        finally:
            path.unlink()

    def _made(
        self,
        folder: Path,
        key: Mapping[str, Any],
        make: Callable[[Path], Mapping[str, Any]],
        notice: str,
    ) -> Entry:
        draft = folder.with_name(f".draft-{folder.name}")
        shutil.rmtree(draft, ignore_errors=True)  # of a maker that was killed; we hold the lock
        draft.mkdir(mode=0o700)
        try:
            facts = dict(make(draft))
            digests = {
                path.relative_to(draft).as_posix(): digest_of_file(path)
                for path in sorted(draft.rglob("*"))
                if path.is_file()
            }
            manifest = {"key": key, "facts": facts, "files": digests}
            (draft / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
            shutil.rmtree(folder, ignore_errors=True)
            draft.rename(folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return Entry(folder, facts, digests, is_new=True, notice=notice)

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        from filelock import FileLock

        lock = FileLock(folder.with_name(folder.name + ".lock"))
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except OSError as error:
            raise self._unusable(error) from error
        try:
            yield
        finally:
            lock.release()

    def _unusable(self, error: OSError) -> CacheError:
        return CacheError(
            f"cannot use the cache folder {self.root}",
            why=str(error),
            mend="name a folder you can write to with --infer-cache=DIR",
        )


def user_cache() -> Path:
    """Return the folder in which this user's cache is unless another one is named."""
    from platformdirs import user_cache_path

    return user_cache_path("pytest-infer", appauthor=False)


def read_entry(folder: Path) -> Entry | str:
    """Return a folder's entry, or why it cannot be used; an empty reason: there is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        digests, facts = dict(manifest["files"]), dict(manifest["facts"])
    except FileNotFoundError:
        return f"{folder.name} has no manifest" if folder.exists() else ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{folder.name} has no readable manifest ({error})"
    for name, digest in digests.items():
        path = folder / name
        if not path.is_file() or digest_of_file(path) != digest:
            return f"{name} in {folder.name} is not the file that was stored"
    return Entry(folder, facts, digests, is_new=False)


def digest_of(value: Any) -> str:
    """Return the SHA-256 of JSON-able values, independent of the order of mappings."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
