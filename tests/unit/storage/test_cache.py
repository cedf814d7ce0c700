"""Entries are made once, whole or not at all, and made again when they were damaged."""

import json
import os
import shutil
import subprocess
import sys
from errno import EACCES, ENOSPC
from stat import S_IFDIR, filemode

import pytest

from pytest_infer.errors import BuildError, CacheError
from pytest_infer.storage.cache import Cache, read_entry
from pytest_infer.storage.digest import digest_of, digest_of_file
from pytest_infer.storage.eviction import MANIFEST
from pytest_infer.storage.strict_json import SIZE_LIMIT_BYTES

KEY = {"graph": "12ab", "shapes": {"x": [1, 3]}}


def make(folder):
    """Make an entry of two files, one in a separate folder."""
    (folder / "engine.bin").write_bytes(b"engine" * 100)
    (folder / "parts").mkdir()
    (folder / "parts/weights.bin").write_bytes(b"weights")
    return {"opset": 18}


@pytest.fixture
def cache(tmp_path):
    """A separate cache."""
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
        (b"[]", "{} has no readable manifest (Expected `object`, got `array`)"),
        (b"{}", "{} has no readable manifest (Object missing required field `key`)"),
        (b"[" * 100_000, "{} has no readable manifest (it is nested too deep)"),
        (b" " * (SIZE_LIMIT_BYTES + 1), "{} has no readable manifest (it is larger than *"),
        (b'{"files": {}, "files": {}}', "{} has no readable manifest (the key 'files' appears *"),
        (
            b'{"key": {}, "facts": {}, "files": ["engine.bin"], "digest": ""}',
            "{} has no readable manifest (Expected `object`, got `array` - at `$.files`)",
        ),
        (
            b'{"key": {}, "facts": {}, "files": {}, "digest": ""}',
            "{} has no readable manifest (its own digest differs)",
        ),
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


@pytest.mark.parametrize("name", ["facts", "key", "files"])
def test_every_value_of_a_manifest_is_vouched_for(cache, name):
    """A number that was changed in the key or the facts is found, as in the digests."""
    folder = cache.entry("engines", KEY, make).folder
    content = json.loads((folder / MANIFEST).read_text())
    content[name] = {"opset": "17"}
    (folder / MANIFEST).write_text(json.dumps(content))
    entry = cache.entry("engines", KEY, make)
    assert entry.is_new
    assert entry.notice == f"{folder.name} has no readable manifest (its own digest differs)"


def test_an_entry_under_another_name_is_made_again(cache):
    """What was made from another key is not served, although all of it is whole."""
    other = cache.entry("engines", KEY | {"graph": "12ac"}, make).folder
    folder = cache.entry("engines", KEY, make).folder
    shutil.rmtree(folder)
    other.rename(folder)
    entry = cache.entry("engines", KEY, make)
    assert entry.notice == f"{folder.name} was made from something else"


def vouched(folder, files):
    """Write a manifest of these files that is what its digest says."""
    manifest = {"key": KEY, "facts": {}, "files": files}
    manifest["digest"] = digest_of(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", ["../outside", "/outside", "parts/../../outside", "link", "pipe"])
def test_nothing_outside_of_an_entry_is_looked_at(cache, name):
    """Neither a name nor a link leads out of it, and a pipe is not waited for."""
    folder = cache.entry("engines", KEY, make).folder
    outside = folder.parent / "outside"
    outside.write_text("x")
    (folder / "link").symlink_to(outside)
    os.mkfifo(folder / "pipe")
    name = name.replace("/outside", str(outside)) if name.startswith("/") else name
    vouched(folder, {name: digest_of_file(outside)})
    assert read_entry(folder) == f"{name} in {folder.name} is not the file that was stored"


def test_a_manifest_that_is_a_pipe(cache):
    """It is not waited for."""
    folder = cache.entry("engines", KEY, make).folder
    (folder / MANIFEST).unlink()
    os.mkfifo(folder / MANIFEST)
    assert read_entry(folder) == f"{folder.name} has no readable manifest (it is no regular file)"


def test_an_entry_of_another_user(cache, monkeypatch):
    """What another user has put there is not served, whole as it is."""
    folder = cache.entry("engines", KEY, make).folder
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert read_entry(folder) == f"{folder.name} is another user's"


@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
def test_an_entry_that_others_could_write_to(cache, mode):
    """It is made again with a notice, in a folder that is closed; what was in it is gone."""
    folder = cache.entry("engines", KEY, make).folder
    folder.chmod(mode)
    (folder / "planted").touch()
    entry = cache.entry("engines", KEY, make)
    told = f"{folder.name} could be written to by others ({filemode(S_IFDIR | mode)})"
    assert (entry.is_new, entry.notice) == (True, told)
    assert entry.folder.stat().st_mode & 0o777 == 0o700
    assert not (folder / "planted").exists()


def test_an_entry_below_a_kind_that_others_can_write_to(cache):
    """Where an entry is only opened, its kind's folder counts as well."""
    folder = cache.entry("engines", KEY, make).folder
    folder.parent.chmod(0o777)
    assert read_entry(folder) == "engines could be written to by others (drwxrwxrwx)"


def test_manifest_says_what_it_was_made_from(cache):
    """A person who looks into an entry sees its key."""
    folder = cache.entry("engines", KEY, make).folder
    assert json.loads((folder / MANIFEST).read_text())["key"] == KEY


def test_folder_is_private(cache):
    """Nobody else reads or plants artefacts."""
    folder = cache.entry("engines", KEY, make).folder
    for each in (cache.root, folder.parent, folder):
        assert each.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
@pytest.mark.parametrize("name", [".", "engines"])
def test_a_folder_that_others_can_write_to(cache, name, mode):
    """It is refused, root and part alike: what is opened from there runs as this user."""
    folder = cache.entry("engines", KEY, make).folder.parent if name != "." else cache.root
    folder.chmod(mode)
    with pytest.raises(CacheError) as caught:
        Cache(cache.root).entry("engines", KEY, make)
    assert str(caught.value) == (
        f"cannot use the cache folder {cache.root}\n"
        f"  why:  others can write to {folder} ({filemode(folder.stat().st_mode)})\n"
        f"  mend: chmod go-w {folder}, after a look at what is in it"
    )


def test_a_folder_of_another_user(cache, monkeypatch):
    """It is refused, however it is protected."""
    owner = cache.root.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(CacheError) as caught:
        Cache(cache.root)
    assert str(caught.value) == (
        f"cannot use the cache folder {cache.root}\n"
        f"  why:  {cache.root} belongs to user {owner}, and this is user {owner + 1}\n"
        "  mend: name a folder that is yours with --infer-cache=DIR"
    )


def test_root_behind_a_link(tmp_path, cache):
    """The folder itself is used, so that a link that is changed later leads nowhere else."""
    link = tmp_path / "link"
    link.symlink_to(cache.root)
    assert Cache(link).root == cache.root


def test_unusable_root(tmp_path):
    """A root that is no folder is reported with the mend."""
    root = tmp_path / "file"
    root.write_text("")
    with pytest.raises(CacheError) as caught:
        Cache(root)
    assert str(caught.value) == (
        f"cannot use the cache folder {root}\n  why:  [Errno 17] File exists: '{root}'\n"
        "  mend: name a folder you can write to with --infer-cache=DIR"
    )


def test_unwritable_folder(cache):
    """A folder in which nothing can be made has the same mend, and is no bare OSError."""
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
from pytest_infer.storage.cache import Cache

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


def test_draft_of_what_has_no_name_yet(cache):
    """It is nobody's to evict while it is in use, and leaves nothing, not even its lock."""
    with cache.draft("weights") as draft:
        (draft / "weights.bin").write_bytes(b"weights")
        cache.entry("engines", KEY, make)  # which tidies
        (draft / "weights.bin").rename(cache.root / "taken")
    assert (cache.root / "taken").read_bytes() == b"weights"
    assert list((cache.root / "weights").iterdir()) == []


def test_draft_of_a_process_that_was_killed(cache):
    """Whoever tidies next removes it."""
    code = (
        "import os, sys; from pathlib import Path; from pytest_infer.storage.cache import Cache; "
        "draft = Cache(Path(sys.argv[1])).draft('weights'); draft.__enter__(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(cache.root)], check=True)  # noqa: S603 - ours
    (draft,) = (cache.root / "weights").glob(".draft-*")
    cache.tidy()
    assert not draft.exists()


def test_token(cache):
    """Who reads the token's content sees this folder; it is gone afterwards."""
    with cache.token() as (path, content):
        assert path.read_text() == content
        assert path.parent == cache.root
        assert len(content) == 64
    assert list(cache.root.iterdir()) == []


def test_token_in_a_folder_that_cannot_be_used(cache):
    """A cache that went away is reported with the option."""
    cache.root.rmdir()
    with pytest.raises(CacheError) as caught, cache.token():
        pass
    assert str(caught.value).startswith(
        f"cannot use the cache folder {cache.root}\n  why:  [Errno "
    )
    assert str(caught.value).endswith("with --infer-cache=DIR")


FULL = """
import resource, sys
from pathlib import Path
from pytest_infer.storage.cache import Cache
from pytest_infer.errors import CacheError

def make(folder):
    (folder / "engine.bin").write_bytes(b"x" * int(sys.argv[2]))
    return {"long": "x" * int(sys.argv[3])}

resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    Cache(Path(sys.argv[1])).entry("engines", {"a": 1}, make)
except CacheError as error:
    print(error)
"""


@pytest.mark.parametrize(("engine_bytes", "facts_bytes"), [(100_000, 1), (1, 100_000)])
def test_no_room(cache, engine_bytes, facts_bytes):
    """Where a file cannot be written whole, the error says why and no part of the entry is left."""
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", FULL, cache.root, str(engine_bytes), str(facts_bytes)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (
        f"cannot use the cache folder {cache.root}\n"
        "  why:  OSError: [Errno 27] File too large\n"
        "  mend: make room there, or name another folder with --infer-cache=DIR\n"
    )
    assert [path for path in (cache.root / "engines").iterdir() if path.suffix != ".lock"] == []


@pytest.mark.parametrize(("number", "error"), [(ENOSPC, CacheError), (EACCES, PermissionError)])
def test_what_a_maker_is_told(cache, number, error):
    """That the disk is full is the folder's fault; a file that it may not read is its own."""

    def fail(_):
        raise OSError(number, os.strerror(number))

    with pytest.raises(error):
        cache.entry("engines", KEY, fail)


def test_facts_that_nobody_could_read_again(cache):
    """A maker's NaN is refused when it is written, not each time that it is read."""
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        cache.entry("engines", KEY, lambda _: {"share": float("nan")})
    assert not list(cache.root.rglob(MANIFEST))
