"""What goes when a cache is too large: the unused, the oldest first, never what is in use."""

import os
import subprocess
import sys

import pytest
from filelock import FileLock

from pytest_infer.errors import CacheError
from pytest_infer.storage import eviction
from pytest_infer.storage.cache import Cache
from pytest_infer.storage.eviction import (
    MANIFEST,
    evict,
    limit_bytes,
    lock_of,
    remove,
    stored_folders,
)
from pytest_infer.storage.lease import is_held

SIZE_BYTES = 10_000


def make(folder):
    """Make an entry of some size."""
    (folder / "engine.bin").write_bytes(b"x" * SIZE_BYTES)
    return {}


MAKE = """
import os, sys
from pathlib import Path
from pytest_infer.storage.cache import Cache

def make(folder):
    (folder / "engine.bin").write_bytes(b"x" * 10_000)
    return {}

for name in sys.argv[2:]:
    folder = Cache(Path(sys.argv[1])).entry("engines", {"name": name}, make).folder
    os.utime(folder, (int(name), int(name)))
print("made", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def cache(tmp_path):
    """A separate cache."""
    return Cache(tmp_path / "cache")


def made(cache, *names):
    """Let another process make entries that were used in the years that their names say."""
    process = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", MAKE, cache.root, *names],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "made\n"
    return process


def names(folders):
    """Return the times of use, by which the entries are told apart."""
    return [int(each.used_s) for each in folders]


def test_listed_by_use(cache):
    """Those that were unused for longest come first, with their sizes."""
    made(cache, "3", "1", "2").communicate()
    found = stored_folders(cache.root)
    assert names(found) == [1, 2, 3]
    assert {each.kind for each in found} == {"engines"}
    assert all(SIZE_BYTES < each.size_bytes < 2 * SIZE_BYTES for each in found)
    assert not any(each.is_used or each.is_draft for each in found)


def test_the_oldest_go(cache):
    """As many as it takes, and their locks stay for who waits for them."""
    made(cache, "1", "2", "3").communicate()
    oldest, *others = stored_folders(cache.root)
    assert evict(cache.root, sum(each.size_bytes for each in others)) == [oldest]
    assert stored_folders(cache.root) == others
    assert not oldest.folder.exists()
    assert lock_of(oldest.folder).exists()
    assert evict(cache.root, 10 * SIZE_BYTES) == []
    assert names(evict(cache.root, 0)) == [2, 3]


def test_what_a_living_process_uses_stays(cache):
    """However old it is and however small the bound; when the process has ended, it goes."""
    user = made(cache, "1", "2")
    made(cache, "3").communicate()
    assert names(evict(cache.root, 0)) == [3]
    assert all(each.is_used for each in stored_folders(cache.root))
    user.kill()
    user.communicate()
    assert names(evict(cache.root, 0)) == [1, 2]


def test_what_this_process_found_stays(cache):
    """Not only what it made; and also after it was damaged and made again."""
    made(cache, "1").communicate()
    entry = cache.entry("engines", {"name": "1"}, make)
    assert not entry.is_new
    assert evict(cache.root, 0) == []
    (entry.folder / "engine.bin").write_text("damaged")
    assert cache.entry("engines", {"name": "1"}, make).is_new
    assert evict(cache.root, 0) == []


def test_held_by_hand(cache):
    """A folder that another process has found for this one stays too."""
    made(cache, "1").communicate()
    (found,) = stored_folders(cache.root)
    assert not is_held(found.folder / MANIFEST)
    cache.hold(found.folder)
    assert is_held(found.folder / MANIFEST)
    assert not remove(found)


def test_what_is_being_made_stays(cache):
    """Whoever holds an entry's lock makes it, or looks at it."""
    made(cache, "1").communicate()
    (found,) = stored_folders(cache.root)
    draft = found.folder.with_name(f".draft-{found.folder.name}")
    draft.mkdir()
    with FileLock(lock_of(found.folder)):
        assert evict(cache.root, 0) == []
    assert evict(cache.root, 0) == [found]
    assert stored_folders(cache.root) == []


def test_abandoned_drafts_go_however_much_room_there_is(cache):
    """Their maker was killed."""
    made(cache, "1").communicate()
    (found,) = stored_folders(cache.root)
    draft = found.folder.with_name(f".draft-{found.folder.name}")
    draft.mkdir()
    (gone,) = evict(cache.root, 10 * SIZE_BYTES)
    assert gone.folder == draft
    assert not draft.exists()
    assert found.folder.exists()


def test_nothing_else_is_touched(cache):
    """Folders that are no entries, and what links lead to, stay."""
    made(cache, "1").communicate()
    bundle = cache.root / "bundles" / "toy"
    bundle.mkdir(parents=True)
    (cache.root / "engines" / "link").symlink_to(bundle)
    (cache.root / "engines" / "link.lock").touch()
    evict(cache.root, 0)
    assert bundle.is_dir()
    assert (cache.root / "engines" / "link").is_symlink()


def test_the_bound_holds_whenever_something_is_made(cache, monkeypatch):
    """What other processes have used goes as soon as there is too much."""
    made(cache, "1", "2").communicate()
    monkeypatch.setenv("PYTEST_INFER_CACHE_GB", str(2.5 * SIZE_BYTES / 1e9))
    folder = Cache(cache.root).entry("engines", {"name": "new"}, make).folder
    left = [each.folder for each in stored_folders(cache.root)]
    assert folder in left
    assert len(left) == 2


def test_a_folder_that_goes_meanwhile(cache):
    """Two processes that evict at once do not trip over each other."""
    made(cache, "1").communicate()
    (found,) = stored_folders(cache.root)
    assert remove(found)
    assert not remove(found)


def test_limit(monkeypatch):
    """It is the environment's, in gigabytes."""
    monkeypatch.delenv("PYTEST_INFER_CACHE_GB", raising=False)
    assert limit_bytes() == eviction.DEFAULT_GB * 1e9
    monkeypatch.setenv("PYTEST_INFER_CACHE_GB", "0.5")
    assert limit_bytes() == 500_000_000


@pytest.mark.parametrize("text", ["much", "0", "-1", "nan", "inf"])
def test_bad_limit(monkeypatch, tmp_path, text):
    """It is reported when the cache is opened."""
    monkeypatch.setenv("PYTEST_INFER_CACHE_GB", text)
    with pytest.raises(CacheError) as caught:
        Cache(tmp_path)
    assert str(caught.value) == (
        f"PYTEST_INFER_CACHE_GB={text} is not valid\n"
        "  why:  it takes a positive number of gigabytes\n"
        "  mend: for example PYTEST_INFER_CACHE_GB=20, or leave it out"
    )


def test_killed_while_it_removes(cache, monkeypatch):
    """What is left of an entry that was being removed is no entry: it is made again, whole."""
    made(cache, "1").communicate()
    (found,) = stored_folders(cache.root)

    def stop(path, **_):
        if path.name.startswith(".draft-") and path.exists():
            os.remove(path / "engine.bin")  # noqa: PTH107 - a part of it
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(eviction.shutil, "rmtree", stop)
        with pytest.raises(KeyboardInterrupt):
            remove(found)
    entry = cache.entry("engines", {"name": "1"}, make)
    assert entry.is_new
    assert entry.notice == ""


def test_a_draft_that_goes_while_it_is_measured(tmp_path):
    """Another process may finish its entry, which renames the draft, at any moment."""
    (tmp_path / "draft/inside").mkdir(parents=True)
    (tmp_path / "draft/inside/engine.bin").write_bytes(b"1")
    sizes = eviction._sizes(tmp_path / "draft")
    next(sizes)
    (tmp_path / "draft").rename(tmp_path / "entry")
    assert list(sizes) == []
