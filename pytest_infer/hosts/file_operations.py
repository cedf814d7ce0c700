"""What an engine host can be asked about files that its caller has and it does not see."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfile, move
from tempfile import TemporaryDirectory

from pytest_infer.errors import CacheError
from pytest_infer.storage.cache import Cache
from pytest_infer.storage.digest import digest_of_file

KIND = "files"
"""What received files are in the cache: entries of one file each."""


class FileOperations:
    """Each public method is one operation; files are found again by their content and name."""

    def __init__(self) -> None:
        self._draft: TemporaryDirectory[str] | None = None

    def find(self, cache: str, digest: str, name: str) -> str:
        """Return where the file with this content and name is, or nothing."""
        found = Cache(Path(cache)).find(KIND, _key(digest, name))
        return str(found.folder / _key(digest, name)["name"]) if found else ""

    def begin(self) -> None:
        """Begin to receive a file; a draft that was left unfinished is thrown away."""
        self._draft = TemporaryDirectory(prefix="pytest-infer-")

    def add(self, chunk: bytes) -> None:
        """Append to the draft."""
        with self._path().open("ab") as file:
            file.write(chunk)

    def finish(self, cache: str, digest: str, name: str) -> str:
        """Make the draft an entry, once it has the right content; return where the file is."""
        draft, key = self._path(), _key(digest, name)
        found = digest_of_file(draft)
        if found != digest:
            raise CacheError(
                f"cannot keep {name}",
                why=f"its SHA-256 is {found[:16]}... here and {digest[:16]}... where it comes from",
                mend="run again; if it happens again, look at the disk and the memory of both",
            )

        def make(folder: Path) -> dict[str, str]:
            move(draft, folder / key["name"])
            return {}

        entry = Cache(Path(cache)).entry(KIND, key, make)
        self._draft = None
        return str(entry.folder / key["name"])

    def together(self, cache: str, files: dict[str, str]) -> str:
        """Return a folder with received files, by their paths in it: a graph with its weights.

        ``files`` has the SHA-256 of each. They are copies: onnx reads no weights of which there is
        a link. Raise `CacheError` for a file that is not here, or no longer.
        """

        def make(folder: Path) -> dict[str, str]:
            for path, digest in files.items():
                place = folder / path
                place.parent.mkdir(parents=True, exist_ok=True)
                copyfile(self._known(cache, digest, path), place)
            return {}

        return str(Cache(Path(cache)).entry(KIND, {"together": files}, make).folder)

    def _known(self, cache: str, digest: str, name: str) -> Path:
        found = self.find(cache, digest, name)
        if not found:
            raise CacheError(
                f"cannot find {name}",
                why=f"it was sent to {cache}, and is gone or damaged there",
                mend="run again: it is sent again then",
            )
        return Path(found)

    def _path(self) -> Path:
        if self._draft is None:
            raise RuntimeError("begin a file before adding to it")
        return Path(self._draft.name, "file")


def _key(digest: str, name: str) -> dict[str, str]:
    return {"sha256": digest, "name": Path(name).name}
