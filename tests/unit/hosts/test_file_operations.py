"""Files that a host gets: visible once they are whole, found again by content."""

import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

import pytest

from pytest_infer.errors import CacheError
from pytest_infer.hosts.file_operations import FileOperations
from pytest_infer.storage.cache import Cache
from pytest_infer.storage.eviction import VARIABLE

CONTENT = b"graph" * 1000
DIGEST = sha256(CONTENT).hexdigest()
KNOWN = {"digest": DIGEST, "name": "graph.onnx"}


def received(*chunks):
    """Return operations that have got a file in chunks."""
    files = FileOperations()
    files.begin()
    for chunk in chunks:
        files.add(chunk)
    return files


def test_whole_file(tmp_path):
    """Chunks become a file of that name in a separate entry, private to the user."""
    files = received(CONTENT[:1234], CONTENT[1234:])
    assert files.find(str(tmp_path), **KNOWN) == ""
    path = Path(files.finish(str(tmp_path), **KNOWN))
    assert path.read_bytes() == CONTENT
    assert (path.name, path.parents[1]) == ("graph.onnx", tmp_path / "files")
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert FileOperations().find(str(tmp_path), **KNOWN) == str(path)


def test_wrong_content(tmp_path):
    """A file that arrives with another content is refused, and is not there."""
    files = received(CONTENT[:-1])
    with pytest.raises(CacheError) as caught:
        files.finish(str(tmp_path), **KNOWN)
    found = sha256(CONTENT[:-1]).hexdigest()
    assert str(caught.value) == (
        "cannot keep graph.onnx\n"
        f"  why:  its SHA-256 is {found[:16]}... here and {DIGEST[:16]}... where it comes from\n"
        "  mend: run again; if it happens again, look at the disk and the memory of both"
    )
    assert files.find(str(tmp_path), **KNOWN) == ""


def test_damaged_afterwards(tmp_path):
    """A file that changed on disk is not found, and is replaced by the next that comes."""
    path = received(CONTENT).finish(str(tmp_path), **KNOWN)
    with Path(path).open("ab") as file:
        file.write(b"more")
    assert FileOperations().find(str(tmp_path), **KNOWN) == ""
    assert received(CONTENT).finish(str(tmp_path), **KNOWN) == path
    assert FileOperations().find(str(tmp_path), **KNOWN) == path


def test_unfinished(tmp_path, monkeypatch):
    """What came of a file whose sender went away is gone with its process."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files = received(CONTENT[:10])
    assert len(list(tmp_path.iterdir())) == 1
    del files
    assert list(tmp_path.iterdir()) == []


def test_unused_for_longest_goes(tmp_path, monkeypatch):
    """Files are within the bound of the cache: another process's leave when there is too much."""
    other = (
        "from tests.unit.hosts.test_file_operations import *; import sys; received(CONTENT).finish"
    )
    command = [sys.executable, "-c", f"{other}(sys.argv[1], **KNOWN)", tmp_path]
    subprocess.run(command, check=True)  # noqa: S603 - no foreign words
    monkeypatch.setenv(VARIABLE, "1e-6")
    Cache(tmp_path).tidy()
    assert FileOperations().find(str(tmp_path), **KNOWN) == ""


def test_begun_again(tmp_path):
    """A file that is begun again has nothing of what came before."""
    files = received(b"half of another")
    files.begin()
    files.add(CONTENT)
    assert files.finish(str(tmp_path), **KNOWN)


def test_name_stays_inside(tmp_path):
    """A name is a name: it leads nowhere else."""
    files = received(CONTENT)
    path = Path(files.finish(str(tmp_path), DIGEST, "../../graph.onnx"))
    assert (path.name, path.parents[1]) == ("graph.onnx", tmp_path / "files")


def test_nothing_begun():
    """A chunk of no file is an error of the caller's."""
    with pytest.raises(RuntimeError, match="begin a file"):
        FileOperations().add(b"chunk")
