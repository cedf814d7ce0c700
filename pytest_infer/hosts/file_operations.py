"""What an engine host can be asked about files that its caller has and it does not see."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from pytest_infer.cache import digest_of_file
from pytest_infer.errors import CacheError

FOLDER = "files"


class FileOperations:
    """Each public method is one operation; files are kept as ``files/<digest>/<name>``."""

    def __init__(self) -> None:
        self._draft: TemporaryDirectory[str] | None = None

    def find(self, cache: str, digest: str, name: str) -> str:
        """Return where the file with this content and name is, or nothing."""
        path = _place(cache, digest, name)
        return str(path) if path.is_file() and digest_of_file(path) == digest else ""

    def begin(self, cache: str) -> None:
        """Begin to receive a file; a draft that was left unfinished is thrown away."""
        folder = Path(cache, FOLDER)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._draft = TemporaryDirectory(prefix=".draft-", dir=folder)

    def add(self, chunk: bytes) -> None:
        """Append to the draft."""
        with self._path().open("ab") as file:
            file.write(chunk)

    def finish(self, cache: str, digest: str, name: str) -> str:
        """Make the draft visible, once it has the right content; return where it is."""
        draft, path = self._path(), _place(cache, digest, name)
        found = digest_of_file(draft)
        if found != digest:
            raise CacheError(
                f"cannot keep {name}",
                why=f"its SHA-256 is {found[:16]}… here and {digest[:16]}… where it comes from",
                mend="run again; if it happens again, look at the disk and the memory of both",
            )
        path.parent.mkdir(exist_ok=True, mode=0o700)
        os.replace(draft, path)  # noqa: PTH105 - the documented atomic call
        self._draft = None
        return str(path)

    def _path(self) -> Path:
        if self._draft is None:
            raise RuntimeError("begin a file before adding to it")
        return Path(self._draft.name, "file")


def _place(cache: str, digest: str, name: str) -> Path:
    return Path(cache, FOLDER, digest, Path(name).name)
