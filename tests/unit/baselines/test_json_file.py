"""JSON files: hostile content is reported with its place, and a write is all or nothing."""

import os
from pathlib import Path

import pytest

from pytest_infer.baselines import json_file
from pytest_infer.baselines.json_file import read_json, write_json
from pytest_infer.baselines.listing import is_there
from pytest_infer.errors import BaselineError
from pytest_infer.storage import strict_json

MEND = "  mend: restore it from version control, or delete it and run with --update-baselines"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "{path}:1:1: Expecting value"),
        (b'{"a": 1,\n "b": }', "{path}:2:7: Expecting value"),
        (b'{"a": 1', "{path}:1:8: Expecting ',' delimiter"),
        (
            b'{\n<<<<<<< ours\n"a": 1}',
            (
                "{path}:2:1: Expecting property name enclosed in double quotes "
                "(it holds merge conflict markers)"
            ),
        ),
        (b'{\n"a": "\xff"}', "{path}:2: not UTF-8"),
        (b'{"a": 1, "a": 2}', "the key 'a' appears twice in one object"),
        (b'{"a": NaN}', "NaN is not a JSON number, at the key 'a'"),
        (b'{"a": [-Infinity]}', "-Infinity is not a JSON number, at the key 'a'"),
        (b"[" * 100_000, "it is nested too deep"),
        (b"[" * 33 + b"]" * 33, "it is nested too deep"),
        (b'{"a": 1e999}', "a number is too large, at the key 'a'"),
        (b'{"a": "\\ud800"}', "'\\ud800' holds half of a character"),
        (b'{"\\u001b": 1, "\\u001b": 2}', "the key '\\x1b' appears twice in one object"),
        (b" " * (strict_json.SIZE_LIMIT_BYTES + 1), "it is larger than 4194304 bytes"),
    ],
)
def test_hostile_content_is_told_with_its_place(tmp_path, content, why):
    """Whatever the bytes, the error names file and line, and there is no traceback of json."""
    path = tmp_path / "resnet50.json"
    path.write_bytes(content)
    with pytest.raises(BaselineError) as caught:
        read_json(path)
    assert str(caught.value) == f"cannot read {path}\n  why:  {why.format(path=path)}\n{MEND}"


def test_a_number_of_many_digits_is_refused(tmp_path):
    """Python's limit on digits is reported as an error of the file."""
    path = tmp_path / "resnet50.json"
    path.write_text("1" * 5000)
    with pytest.raises(BaselineError, match="cannot read"):
        read_json(path)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Path.exists, "FileNotFoundError: No such file or directory"),
        (Path.mkdir, "it is not a regular file"),
        (os.mkfifo, "it is not a regular file"),
    ],
    ids=["missing", "folder", "pipe"],
)
def test_what_is_no_file_is_refused(tmp_path, make, why):
    """A missing file, a folder and a pipe (which would block) are errors."""
    path = tmp_path / "resnet50.json"
    make(path)
    with pytest.raises(BaselineError) as caught:
        read_json(path)
    assert str(caught.value) == f"cannot read {path}\n  why:  {why}\n{MEND}"


def test_what_is_written_is_sorted_and_ends_with_a_newline(tmp_path):
    """Keys are sorted, two spaces indent, and nothing else is left in the folder."""
    path = tmp_path / "resnet50.json"
    write_json(path, {"b": 1.5, "a": {"d": "é", "c": []}})
    assert path.read_text(encoding="utf-8") == (
        '{\n  "a": {\n    "c": [],\n    "d": "é"\n  },\n  "b": 1.5\n}\n'
    )
    assert read_json(path) == {"a": {"c": [], "d": "é"}, "b": 1.5}
    assert [each.name for each in tmp_path.iterdir()] == ["resnet50.json"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    """When the disk is full, the old content stays and the error says why."""
    path = tmp_path / "resnet50.json"
    write_json(path, {"old": 1})

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json_file.os, "fsync", full)
    with pytest.raises(BaselineError) as caught:
        write_json(path, {"new": 2})
    assert str(caught.value) == (
        f"cannot write {path}\n"
        "  why:  OSError: No space left on device\n"
        "  mend: let this user write to the folder, or name another one (--infer-baselines)"
    )
    assert read_json(path) == {"old": 1}


def test_a_write_that_nobody_could_read_leaves_the_old_file(tmp_path):
    """More than the size that is read is not written either."""
    path = tmp_path / "resnet50.json"
    write_json(path, {"old": 1})
    with pytest.raises(BaselineError) as caught:
        write_json(path, {"new": "x" * strict_json.SIZE_LIMIT_BYTES})
    assert str(caught.value) == (
        f"cannot write {path}\n"
        "  why:  nobody could read it again: it is larger than 4194304 bytes\n"
        "  mend: delete entries that nothing uses any more, or choose another --gpu-baseline=NAME"
    )
    assert read_json(path) == {"old": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["resnet50.json"]


def test_is_there(tmp_path):
    """A link to nothing is something, which cannot be read; a place in a file is an error."""
    path = tmp_path / "resnet50.json"
    assert not is_there(path)
    path.symlink_to(tmp_path / "nothing")
    assert is_there(path)
    with pytest.raises(BaselineError, match="No such file or directory"):
        read_json(path)
    (tmp_path / "file").write_text("")
    with pytest.raises(BaselineError, match="NotADirectoryError: Not a directory"):
        is_there(tmp_path / "file" / "resnet50.json")
