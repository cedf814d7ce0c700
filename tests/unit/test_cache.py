"""Entries are made once, whole or not at all, and made again when they were damaged."""

import json
import subprocess
import sys

import pytest

from pytest_infer.cache import MANIFEST, Cache, digest_of, read_entry
from pytest_infer.errors import BuildError, CacheError

KEY = {"graph": "12ab", "shapes": {"x": [1, 3]}}


def make(folder):
    """Make an entry of two files, one in a folder of its own."""
    (folder / "engine.bin").write_bytes(b"engine" * 100)
    (folder / "parts").mkdir()
    (folder / "parts/weights.bin").write_bytes(b"weights")
    return {"opset": 18}


@pytest.fixture
def cache(tmp_path):
    """A cache of its own."""
    return Cache(tmp_path / "cache")


def test_made_once_then_found(cache):
    """The second who asks gets the files of the first, with the facts of their maker."""
    made, found = (cache.entry("engines", KEY, make) for _ in range(2))
    assert (made.is_new, found.is_new) == (True, False)
    assert made.folder == found.folder
    assert found.facts == {"opset": 18}
    assert set(found.digests) == {"engine.bin", "parts/weights.bin"}
    assert (made.notice, found.notice) == ("", "")


def test_key_is_content():
    """The order of a key's items does not matter, each value does."""
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": "1"})


def test_other_key_other_entry(cache):
    """Whatever differs in the key makes another entry."""
    folders = {
        cache.entry(kind, key, make).folder
        for kind in ("engines", "graphs")
        for key in (KEY, KEY | {"graph": "12ac"})
    }
    assert len(folders) == 4


@pytest.mark.parametrize("error", [BuildError("what", why="why", mend="mend"), KeyboardInterrupt()])
def test_maker_that_raises_leaves_nothing(cache, error):
    """A draft is thrown away, and the next who asks makes the entry."""

    def fail(folder):
        make(folder)
        raise error

    with pytest.raises(type(error)):
        cache.entry("engines", KEY, fail)
    assert [path for path in cache.root.rglob("*") if path.suffix != ".lock"] == [
        cache.root / "engines"
    ]
    entry = cache.entry("engines", KEY, make)
    assert (entry.is_new, entry.notice) == (True, "")


def truncate(path):
    """Leave the first half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    """Change one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    """Leave no byte."""
    path.write_bytes(b"")


def remove(path):
    """Leave no file."""
    path.unlink()


@pytest.mark.parametrize("damage", [truncate, flip, empty, remove])
@pytest.mark.parametrize("name", ["engine.bin", "parts/weights.bin"])
def test_damaged_file_is_made_again(cache, name, damage):
    """A file that is not the one that was stored is never used."""
    folder = cache.entry("engines", KEY, make).folder
    damage(folder / name)
    entry = cache.entry("engines", KEY, make)
    assert entry.is_new
    assert entry.notice == f"{name} in {folder.name} is not the file that was stored"
    assert not cache.entry("engines", KEY, make).is_new


@pytest.mark.parametrize(
    ("content", "notice"),
    [
        (None, "{} has no manifest"),
        (b"", "{} has no readable manifest (Expecting value: line 1 column 1 (char 0))"),
        (b'{"files": {', "{} has no readable manifest (Expecting property name*"),
        (b"\xff\xfe", "{} has no readable manifest ('utf-8' codec can't decode*"),
        (b"[]", "{} has no readable manifest (list indices must be*"),
        (b"{}", "{} has no readable manifest ('files')"),
        (b'{"files": {}}', "{} has no readable manifest ('facts')"),
        (b'{"files": 1, "facts": {}}', "{} has no readable manifest ('int' object*"),
        (b'{"files": ["engine.bin"], "facts": {}}', "{} has no readable manifest (dictionary*"),
    ],
)
def test_damaged_manifest_is_made_again(cache, content, notice):
    """Without a readable manifest nothing vouches for the files."""
    folder = cache.entry("engines", KEY, make).folder
    if content is None:
        (folder / MANIFEST).unlink()
    else:
        (folder / MANIFEST).write_bytes(content)
    entry = cache.entry("engines", KEY, make)
    expected = notice.format(folder.name)
    assert entry.is_new
    assert entry.notice == expected or entry.notice.startswith(expected.rstrip("*"))
    assert isinstance(read_entry(folder), type(entry))


def test_manifest_says_what_it_was_made_from(cache):
    """A person who looks into an entry sees its key."""
    folder = cache.entry("engines", KEY, make).folder
    assert json.loads((folder / MANIFEST).read_text())["key"] == KEY


def test_folder_is_private(cache):
    """Nobody else reads or plants artefacts."""
    assert cache.root.stat().st_mode & 0o777 == 0o700


def test_unusable_root(tmp_path):
    """A root that is no folder is told with the mend."""
    root = tmp_path / "file"
    root.write_text("")
    with pytest.raises(CacheError) as caught:
        Cache(root)
    assert str(caught.value) == (
        f"cannot use the cache folder {root}\n  why:  [Errno 17] File exists: '{root}'\n"
        "  mend: name a folder you can write to with --infer-cache=DIR"
    )


def test_unwritable_folder(cache):
    """A folder in which nothing can be made is told with the same mend, not as a bare OSError."""
    (cache.root / "engines").write_text("")
    with pytest.raises(CacheError) as caught:
        cache.entry("engines", KEY, make)
    assert str(caught.value) == (
        f"cannot use the cache folder {cache.root}\n"
        f"  why:  [Errno 17] File exists: '{cache.root / 'engines'}'\n"
        "  mend: name a folder you can write to with --infer-cache=DIR"
    )


ASK = """
import sys
from pathlib import Path
from pytest_infer.cache import Cache

def make(folder):
    with open(sys.argv[2], "a") as log:
        log.write("made\\n")
    (folder / "engine.bin").write_bytes(b"x" * 1_000_000)
    return {}

sys.stdin.readline()
print(Cache(Path(sys.argv[1])).entry("engines", {"a": 1}, make).is_new)
"""


def test_many_processes_make_it_once(tmp_path):
    """Of 8 processes that ask for one entry at once, one makes it and all get it."""
    log = tmp_path / "log"
    processes = [
        subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", ASK, str(tmp_path / "cache"), str(log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = sorted(process.communicate()[0].strip() for process in processes)
    assert answers == ["False"] * 7 + ["True"]
    assert log.read_text() == "made\n"


def test_draft_of_a_maker_that_was_killed(cache):
    """What a killed maker left is thrown away by the next, and is no part of the entry."""
    kept = cache.entry("engines", KEY, make).folder
    draft = kept.with_name(f".draft-{kept.name}")
    kept.rename(draft)
    (draft / "half").write_text("half")
    entry = cache.entry("engines", KEY, make)
    assert set(entry.digests) == {"engine.bin", "parts/weights.bin"}
    assert not draft.exists()


def test_token(cache):
    """Who reads the token's content sees this folder; it is gone afterwards."""
    with cache.token() as (path, content):
        assert path.read_text() == content
        assert path.parent == cache.root
        assert len(content) == 64
    assert list(cache.root.iterdir()) == []


def test_token_in_a_folder_that_cannot_be_used(cache):
    """A cache that went away is told with the option."""
    cache.root.rmdir()
    with pytest.raises(CacheError) as caught, cache.token():
        pass
    assert str(caught.value).startswith(
        f"cannot use the cache folder {cache.root}\n  why:  [Errno "
    )
    assert str(caught.value).endswith("with --infer-cache=DIR")
