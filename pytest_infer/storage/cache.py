"""Keep what is slow to make on disk, found again by what it was made from."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from secrets import token_hex
from stat import S_ISREG, filemode
from tempfile import mkstemp
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_infer.plain_text import shown
from pytest_infer.storage.digest import digest_of, digest_of_file
from pytest_infer.storage.eviction import DRAFT, MANIFEST, evict, limit_bytes, lock_of
from pytest_infer.storage.lease import hold
from pytest_infer.storage.lock_wait import Wanted, acquire
from pytest_infer.storage.private_folder import is_open_to_others, private_folder, unusable
from pytest_infer.storage.room import lack_of_room
from pytest_infer.storage.strict_json import SIZE_LIMIT_BYTES, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_infer.errors import CacheError


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


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands beside an entry's files."""

    key: dict[str, Any]
    facts: dict[str, Any]
    files: dict[str, str]
    digest: str
    """SHA-256 of the three."""


class Cache:
    """A folder of entries, each made once by whoever comes first, on any number of processes."""

    def __init__(self, root: Path, *, is_temporary: bool = False) -> None:
        """Use ``root``, made if it is not there; raise `CacheError` unless it is private.

        A temporary one is removed with the run that has made it.
        """
        self.root = private_folder(root)
        self.is_temporary = is_temporary
        self._limit_bytes = limit_bytes()

    def entry(
        self, kind: str, key: Mapping[str, Any], make: Callable[[Path], Mapping[str, Any]]
    ) -> Entry:
        """Return the entry for ``key``, made by ``make`` in an empty folder if there is none.

        An entry becomes visible whole or not at all. One whose files differ from its manifest
        is made again, with a notice. It stays until this process ends; when something was made,
        what was unused for longest goes, as far as the cache is too large.
        """
        folder = self._folder(kind, key)
        with self._locked(folder):
            found = read_entry(folder)
            entry = (
                found if isinstance(found, Entry) else self._made(folder, key, make, notice=found)
            )
            self._use(folder)
        if entry.is_new:
            self.tidy()
        return entry

    def find(self, kind: str, key: Mapping[str, Any]) -> Entry | None:
        """Return the entry for ``key``, which stays until this process ends; None without one."""
        folder = self._folder(kind, key)
        with self._locked(folder):
            found = read_entry(folder)
            if not isinstance(found, Entry):
                return None
            self._use(folder)
        return found

    @contextmanager
    def draft(self, kind: str) -> Iterator[Path]:
        """Give an empty folder for what only its content can name, and remove it afterwards.

        It lies in the cache, where hosts see it. One whose maker was killed goes as an entry's
        draft does.
        """
        folder = self.root / kind / token_hex(16)
        draft = folder.with_name(f"{DRAFT}{folder.name}")
        with self._locked(folder):
            with self._told():
                draft.mkdir(mode=0o700)
            try:
                yield draft
            except Exception as error:
                if lack := lack_of_room(error, self.root):
                    raise lack from error
                raise
            finally:
                shutil.rmtree(draft, ignore_errors=True)
                lock_of(folder).unlink(missing_ok=True)

    def hold(self, folder: Path) -> None:
        """Let an entry stay until this process ends."""
        with self._told():
            hold(folder / MANIFEST)

    def tidy(self) -> None:
        """Remove the drafts of makers that are gone, and what is too much."""
        evict(self.root, self._limit_bytes)

    @contextmanager
    def token(self) -> Iterator[tuple[Path, str]]:
        """Give a new file here and its random content: who reads the same sees this folder."""
        content = token_hex()
        with self._told():
            handle, name = mkstemp(prefix=".token-", dir=self.root)
        os.close(handle)
        path = Path(name)
        try:
            path.write_text(content)
            yield path, content
        finally:
            path.unlink()

    def _folder(self, kind: str, key: Mapping[str, Any]) -> Path:
        return self.root / kind / digest_of(key)[:32]

    def _use(self, folder: Path) -> None:
        self.hold(folder)
        with self._told():
            os.utime(folder)

    def _made(
        self,
        folder: Path,
        key: Mapping[str, Any],
        make: Callable[[Path], Mapping[str, Any]],
        notice: str,
    ) -> Entry:
        draft = folder.with_name(f".draft-{folder.name}")
        shutil.rmtree(draft, ignore_errors=True)  # of a maker that was killed; we hold the lock
        with self._told():
            draft.mkdir(mode=0o700)
        try:
            facts = self._facts(make, draft)
            with self._told():
                digests = _written(draft, key, facts)
                shutil.rmtree(folder, ignore_errors=True)
                draft.rename(folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return Entry(folder, facts, digests, is_new=True, notice=notice)

    def _facts(self, make: Callable[[Path], Mapping[str, Any]], draft: Path) -> Mapping[str, Any]:
        try:
            return dict(make(draft))
        except Exception as error:
            if lack := lack_of_room(error, self.root):
                raise lack from error
            raise

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        from filelock import FileLock

        private_folder(folder.parent, self.root)
        wanted = Wanted(f"{folder.parent.name}/{folder.name} in the cache", lock_of(folder))
        with self._told():
            lock = acquire(wanted, FileLock(wanted.file).acquire)
        with lock:
            yield

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the file system says into our error."""
        try:
            yield
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> CacheError:
        return lack_of_room(error, self.root) or unusable(self.root, str(error))


def read_entry(folder: Path) -> Entry | str:
    """Return a folder's entry, or why it cannot be used; an empty reason: there is none."""
    if not os.path.lexists(folder):
        return ""
    try:
        manifest = _manifest(folder / MANIFEST)
    except FileNotFoundError:
        return f"{folder.name} has no manifest"
    except (OSError, ValueError) as error:  # msgspec's are ValueErrors
        return f"{folder.name} has no readable manifest ({shown(str(error))})"
    fault = _fault(folder, manifest)
    return fault or Entry(folder, manifest.facts, manifest.files, is_new=False)


def key_of(folder: Path) -> Mapping[str, Any]:
    """Return what an entry says it was made from, its files unseen; nothing if it cannot."""
    try:
        return _manifest(folder / MANIFEST).key
    except (OSError, ValueError):
        return {}


def _written(draft: Path, key: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, str]:
    """Write the manifest of the files in ``draft``; return their digests."""
    digests = {
        path.relative_to(draft).as_posix(): digest_of_file(path)
        for path in sorted(draft.rglob("*"))
        if path.is_file()
    }
    manifest: dict[str, Any] = {"key": dict(key), "facts": dict(facts), "files": digests}
    manifest["digest"] = digest_of(manifest)
    content = json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False).encode() + b"\n"
    parsed(content)
    (draft / MANIFEST).write_bytes(content)
    return digests


def _manifest(path: Path) -> _Manifest:
    """Return a manifest that is what was written; raise `ValueError` or `OSError`."""
    if not S_ISREG(path.lstat().st_mode):
        raise ValueError("it is no regular file")
    with path.open("rb") as file:
        value = parsed(file.read(SIZE_LIMIT_BYTES + 1))
    manifest = msgspec.convert(value, _Manifest)
    if manifest.digest != digest_of({name: value[name] for name in ("facts", "files", "key")}):
        raise ValueError("its own digest differs")
    return manifest


def _fault(folder: Path, manifest: _Manifest) -> str:
    """Return why an entry is not what its manifest and its name say; empty if it is."""
    for place in (folder, folder.parent):
        facts = place.lstat()
        if facts.st_uid != os.geteuid():
            return f"{place.name} is another user's"
        if is_open_to_others(facts):
            return f"{place.name} could be written to by others ({filemode(facts.st_mode)})"
    if digest_of(manifest.key)[: len(folder.name)] != folder.name:
        return f"{folder.name} was made from something else"
    for name, digest in manifest.files.items():
        if not _is_stored(folder, name, digest):
            return f"{shown(name)} in {folder.name} is not the file that was stored"
    return ""


def _is_stored(folder: Path, name: str, digest: str) -> bool:
    """Return whether a file of the entry has its content; nothing outside of it is looked at."""
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts:
        return False
    path = folder / place
    try:
        return S_ISREG(path.lstat().st_mode) and digest_of_file(path) == digest
    except (OSError, ValueError):
        return False
