"""Timings beside the baselines: whole or refused, merged under a lock, checked by sha256sum."""

import subprocess
from hashlib import sha256

import pytest

from pytest_infer.baselines import timings
from pytest_infer.baselines.timings import keep_timings, read_timings, timing_files
from pytest_infer.errors import BaselineError

H200 = {"kind": "cuda", "name": "NVIDIA H200"}
NAME = "trt-8.6.0.timing"


def kept(folder, content, name=NAME):
    """Store timings as a library would that puts them behind what is there."""
    keep_timings(folder, H200, name, lambda there: there + content)
    return folder / name


def test_kept_and_read_again(tmp_path):
    """The file is the library's; its digest stands beside it, and what is there is not lost."""
    path = kept(tmp_path / "h200", b"first ")
    assert kept(path.parent, b"second") == path
    assert path.read_bytes() == read_timings(path) == b"first second"
    digest = sha256(b"first second").hexdigest()
    assert path.with_name(f"{NAME}.sha256").read_text() == f"{digest}  {NAME}\n"
    check = ["sha256sum", "--check", f"{NAME}.sha256"]
    subprocess.run(check, cwd=path.parent, check=True)  # noqa: S603 - of coreutils
    assert (path.parent / "device.json").is_file()


def test_files_of_one_engine(tmp_path):
    """Each version has a file, and no engine takes another's."""
    for name in (NAME, "trt-10.16.1.timing", "other-1.timing"):
        kept(tmp_path, b"x", name)
    assert [path.name for path in timing_files(tmp_path, "trt")] == ["trt-10.16.1.timing", NAME]
    assert len(timing_files(tmp_path)) == 3
    assert timing_files(tmp_path / "none") == []


def test_nothing_is_written_if_nothing_is_new(tmp_path):
    """A run that times no kernel changes no file."""
    path = kept(tmp_path, b"first")
    before = path.stat().st_mtime_ns
    assert keep_timings(tmp_path, H200, NAME, lambda there: there) == sha256(b"first").hexdigest()
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", ["content", "digest", "no digest", "other name"])
def test_a_damaged_file_is_refused(tmp_path, damage):
    """Nothing is built from timings that are not those which were stored."""
    path = kept(tmp_path, b"first")
    beside = path.with_name(f"{NAME}.sha256")
    if damage == "content":
        path.write_bytes(b"furst")
    elif damage == "no digest":
        beside.unlink()
    else:
        text = beside.read_text()
        beside.write_text(text.replace(NAME, "x") if damage == "other name" else "0" * 64)
    with pytest.raises(BaselineError, match="cannot use the timings in") as caught:
        read_timings(path)
    assert sha256(path.read_bytes()).hexdigest() in caught.value.why
    assert "--update-baselines" in caught.value.mend
    with pytest.raises(BaselineError):
        kept(tmp_path, b"more")


def test_a_file_may_not_be_too_large(tmp_path, monkeypatch):
    """It is in version control; what is too large is neither written nor read."""
    path = kept(tmp_path, b"first")
    monkeypatch.setattr(timings, "MOST_BYTES", 1 << 20)
    with pytest.raises(BaselineError, match="larger than 1 MiB"):
        kept(tmp_path, bytes(1 << 20))
    assert read_timings(path) == b"first"
    path.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(BaselineError, match="larger than 1 MiB"):
        read_timings(path)


def test_an_end_between_the_two_files_is_no_damage(tmp_path, monkeypatch):
    """The process ends before the timings are replaced, or before their old digest goes."""
    path = kept(tmp_path, b"first ")
    write, written = timings.write_content, []

    def killed_after(count):
        def write_content(place, content):
            if len(written) == count:
                raise KeyboardInterrupt
            written.append(place)
            write(place, content)

        monkeypatch.setattr(timings, "write_content", write_content)

    for count, content in ((1, b"first "), (2, b"first second")):
        written.clear()
        killed_after(count)
        with pytest.raises(KeyboardInterrupt):
            kept(tmp_path, b"second")
        assert read_timings(path) == content


def test_timings_of_another_device_are_not_stored(tmp_path):
    """The folder's owner is checked as for entries."""
    kept(tmp_path, b"first")
    with pytest.raises(BaselineError, match="belongs to"):
        keep_timings(tmp_path, {"kind": "cpu", "name": "any"}, NAME, lambda there: there + b"x")
