"""Where locks lie: one place for all runs of a user, and never one that others can write to."""

import os
from pathlib import Path

import pytest

from pytest_infer.errors import CacheError
from pytest_infer.storage import lock_folder as module
from pytest_infer.storage.lock_folder import lock_folder


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The three places, all of which will do."""
    found = {name: tmp_path / name for name in ("home", "runtime", "temporary")}
    for path in found.values():
        path.mkdir(mode=0o700)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(found["home"]))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(found["runtime"]))
    monkeypatch.setattr(module, "gettempdir", lambda: str(found["temporary"]))
    return found


def spoil(path):
    """Let nothing be made at ``path``."""
    path.rmdir()
    path.write_text("")


def test_order(places):
    """The user's cache, then the login's folder, then the temporary one by the user's number."""
    own = f"pytest-infer-{os.geteuid()}"
    assert lock_folder() == places["home"] / ".cache/pytest-infer/locks"
    assert lock_folder() == lock_folder()
    for name in ("home", "runtime"):
        for made in sorted(places[name].rglob("*"), reverse=True):
            made.rmdir()
        spoil(places[name])
        left = places["runtime"] / "pytest-infer/locks"
        assert lock_folder() == (left if name == "home" else places["temporary"] / own / "locks")
    assert lock_folder().stat().st_mode & 0o777 == 0o700


def test_no_place(places, monkeypatch):
    """The error says what is wrong with each."""
    for name in places:
        spoil(places[name])
    with pytest.raises(CacheError) as caught:
        lock_folder()
    assert caught.value.what == "cannot use any folder for the locks of devices"
    assert [line.partition(":")[0] for line in caught.value.why.splitlines()] == [
        "[Errno 20] Not a directory"
    ] * 3
    monkeypatch.setenv("XDG_RUNTIME_DIR", "relative")
    with pytest.raises(CacheError, match="XDG_RUNTIME_DIR names no folder"):
        lock_folder()


def test_a_link_among_temporary_folders(places):
    """Somebody else may have put it there."""
    spoil(places["home"])
    spoil(places["runtime"])
    own = places["temporary"] / f"pytest-infer-{os.geteuid()}"
    own.symlink_to(places["temporary"])
    with pytest.raises(CacheError, match="is a link"):
        lock_folder()


def test_a_folder_that_cannot_be_written_to(places, monkeypatch):
    """A home on a disk that is read-only is passed over; root may write anywhere else."""
    made = lock_folder()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != made and real(path, mode))
    assert lock_folder() == places["runtime"] / "pytest-infer/locks"
