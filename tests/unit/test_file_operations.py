"""Files that a host gets: visible once they are whole, found again by content."""

from hashlib import sha256
from pathlib import Path

import pytest

from pytest_infer.errors import CacheError
from pytest_infer.hosts.file_operations import FileOperations

CONTENT = b"graph" * 1000
DIGEST = sha256(CONTENT).hexdigest()
KNOWN = {"digest": DIGEST, "name": "graph.onnx"}


def received(cache, *chunks):
    """Return operations that have got a file in chunks."""
    files = FileOperations()
    files.begin(str(cache))
    for chunk in chunks:
        files.add(chunk)
    return files


def test_whole_file(tmp_path):
    """Chunks become a file under its digest and name, private to the user."""
    files = received(tmp_path, CONTENT[:1234], CONTENT[1234:])
    assert files.find(str(tmp_path), **KNOWN) == ""
    path = tmp_path / "files" / DIGEST / "graph.onnx"
    assert files.finish(str(tmp_path), **KNOWN) == str(path)
    assert path.read_bytes() == CONTENT
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert FileOperations().find(str(tmp_path), **KNOWN) == str(path)


def test_wrong_content(tmp_path):
    """A file that arrives with another content is refused, and is not there."""
    files = received(tmp_path, CONTENT[:-1])
    with pytest.raises(CacheError) as caught:
        files.finish(str(tmp_path), **KNOWN)
    found = sha256(CONTENT[:-1]).hexdigest()
    assert str(caught.value) == (
        "cannot keep graph.onnx\n"
        f"  why:  its SHA-256 is {found[:16]}… here and {DIGEST[:16]}… where it comes from\n"
        "  mend: run again; if it happens again, look at the disk and the memory of both"
    )
    assert files.find(str(tmp_path), **KNOWN) == ""


def test_damaged_afterwards(tmp_path):
    """A file that changed on disk is not found, and is replaced by the next that comes."""
    path = received(tmp_path, CONTENT).finish(str(tmp_path), **KNOWN)
    with Path(path).open("ab") as file:
        file.write(b"more")
    assert FileOperations().find(str(tmp_path), **KNOWN) == ""
    assert received(tmp_path, CONTENT).finish(str(tmp_path), **KNOWN) == path
    assert FileOperations().find(str(tmp_path), **KNOWN) == path


def test_unfinished(tmp_path):
    """What came of a file whose sender went away is gone with its process."""
    files = received(tmp_path, CONTENT[:10])
    assert len(list((tmp_path / "files").iterdir())) == 1
    del files
    assert list((tmp_path / "files").iterdir()) == []


def test_begun_again(tmp_path):
    """A file that is begun again has nothing of what came before."""
    files = received(tmp_path, b"half of another")
    files.begin(str(tmp_path))
    files.add(CONTENT)
    assert files.finish(str(tmp_path), **KNOWN)


def test_name_stays_inside(tmp_path):
    """A name is a name: it leads nowhere else."""
    files = received(tmp_path, CONTENT)
    path = files.finish(str(tmp_path), DIGEST, "../../graph.onnx")
    assert path == str(tmp_path / "files" / DIGEST / "graph.onnx")


def test_nothing_begun():
    """A chunk of no file is an error of the caller's."""
    with pytest.raises(RuntimeError, match="begin a file"):
        FileOperations().add(b"chunk")
