"""A lack of room is reported as such, however a library words it."""

import shutil
from errno import EACCES, ENOSPC
from typing import NamedTuple

import pytest

from pytest_infer.errors import CacheError, ModelError
from pytest_infer.storage import room
from pytest_infer.storage.room import LEAST_FREE_BYTES, lack_of_room


class Usage(NamedTuple):
    """What shutil.disk_usage returns."""

    total: int
    used: int
    free: int


@pytest.fixture
def disks(tmp_path, monkeypatch):
    """The cache's disk and the temporary folder's, with plenty of room at first."""
    cache, temporary = tmp_path / "cache", tmp_path / "temporary"
    free = {cache: 10**9, temporary: 10**9}
    monkeypatch.setattr(room, "gettempdir", lambda: str(temporary))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, free[path]))
    return cache, temporary, free


def wrapped(cause):
    """Return an error of a library that was raised from another."""
    error = RuntimeError("PytorchStreamWriter failed writing file")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(ENOSPC, "No space left on device"),
        RuntimeError("I/O error: write failed (os error 28)"),
        wrapped(OSError(ENOSPC, "")),
        ModelError("cannot load toy", why="SafetensorError: No space left on device", mend="x"),
        RuntimeError("Disk quota exceeded"),
    ],
    ids=range(5),
)
def test_words(disks, error):
    """By number, by words, by its cause, and as text from a host."""
    cache, _, _ = disks
    found = lack_of_room(error, cache)
    assert isinstance(found, CacheError)
    assert found.what == f"cannot use the cache folder {cache}"
    assert found.mend == "make room there, or name another folder with --infer-cache=DIR"


def test_full_cache(disks):
    """A library that says nothing of it: the folder's room decides, and is reported."""
    cache, _, free = disks
    free[cache] = LEAST_FREE_BYTES - 1
    found = lack_of_room(RuntimeError("failed writing file"), cache)
    assert found.why == (
        f"RuntimeError: failed writing file\n1048575 of 1000000000 bytes are free in {cache}"
    )


def test_full_temporary_folder(disks):
    """Scratch folders are there; the mend names it."""
    cache, temporary, free = disks
    free[temporary] = 0
    found = lack_of_room(RuntimeError("failed"), cache)
    assert found.what == f"cannot use the temporary folder {temporary}"
    assert found.why.endswith(f"\n0 of 1000000000 bytes are free in {temporary}")
    assert found.mend == "make room there, or name another folder with TMPDIR=DIR"


@pytest.mark.parametrize("error", [RuntimeError("bad graph"), OSError(EACCES, "denied")])
def test_other_errors(disks, error):
    """With room enough an error is the maker's own."""
    cache, _, free = disks
    free[cache] = LEAST_FREE_BYTES
    assert lack_of_room(error, cache) is None
