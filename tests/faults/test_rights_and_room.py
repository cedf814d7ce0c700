"""Folders without a right or without room, users without a home, terminals without box lines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

USAGE_ERROR = 4
DEVICE = '{"schema": 3, "holds": "measured", "fingerprint": {"kind": "cpu", "name": "any"}}'

OUTPUTS = ("--engine=ort", "-k", "outputs", "-p", "no:xdist")
"""The test of outputs on one engine: weights, a graph, an engine and references are made."""


def possible(*command: str) -> list[str]:
    """Return ``command`` if it works here; skip the test, saying why, if it does not."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        pytest.skip(f"{' '.join(command)} cannot run here: {done.stderr.strip()}")
    return list(command)


def with_rights() -> list[str]:
    """Return what to begin a command with, so that modes of files count: for root they do not."""
    if os.geteuid():
        return []
    return possible("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def ran(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Return what a process said."""
    return subprocess.run(  # noqa: S603 - our own
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


SEARCH = """
import sys
from pathlib import Path
from pytest_infer.baselines.search import match_device, resolve
from pytest_infer import BaselineError

folder = Path(sys.argv[1])
for find in (
    lambda: match_device({"kind": "cpu", "name": "any"}, [folder]),
    lambda: resolve("any", [folder]),
):
    try:
        found = find()
        print(found.fingerprint["name"], found.models())
    except BaselineError as error:
        print(error)
"""


def searched(folder: Path) -> str:
    """Return what a user without special rights is told of a folder of baselines."""
    done = ran([*with_rights(), sys.executable, "-c", SEARCH, str(folder)])
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def baselines(tmp_path: Path) -> Path:
    """A folder of one device's baselines, whose modes are given back."""
    device = tmp_path / "baselines/any"
    device.mkdir(parents=True)
    (device / "device.json").write_text(DEVICE)
    yield device.parent
    for each in (device.parent, device):
        each.chmod(0o700)


@pytest.mark.parametrize(
    ("place", "mode", "closed"),
    [
        ("any", 0o000, "any"),
        ("any", 0o300, "any"),
        (".", 0o000, "."),
        ("any/device.json", 0o000, "any/device.json"),
    ],
)
def test_baselines_without_the_right_to_read(
    baselines: Path, place: str, mode: int, closed: str
) -> None:
    """By device and by name: the folder and the right are named, never 'no baseline'."""
    (baselines / place).chmod(mode)
    told = searched(baselines)
    assert told.count("cannot read ") == 2, told
    assert told.count("PermissionError: Permission denied: user ") == 2
    assert told.count(f"may not read {(baselines / closed).resolve()} (") == 2
    assert told.count(f"chmod u+rX {(baselines / closed).resolve()}") == 2


def test_baselines_that_are_there(baselines: Path) -> None:
    """Without any trouble there is one folder, of no model; files beside it are passed over."""
    (baselines / "readme").write_text("")
    assert searched(baselines) == "any ()\nany ()\n"


@pytest.mark.parametrize("name", ["any/device.json", "any"])
def test_a_link_to_itself(baselines: Path, name: str) -> None:
    """A loop is no absence."""
    place = baselines / name
    shutil.rmtree(place, ignore_errors=True)
    place.unlink(missing_ok=True)
    place.symlink_to(place)
    try:
        told = searched(baselines)
        assert told.count("Too many levels of symbolic links") == 2, told
    finally:
        place.unlink()
        (baselines / "any").mkdir(exist_ok=True)


def test_a_run_whose_baselines_are_closed(pytester: pytest.Pytester, baselines: Path) -> None:
    """The run is refused before anything is measured."""
    (baselines / "any").chmod(0)
    pytester.makepyfile("def test_ok(): pass")
    done = ran(
        [
            *(*with_rights(), sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
            *("--engine=ort", f"--infer-baselines={baselines}"),
        ]
    )
    assert done.returncode == USAGE_ERROR, done.stdout
    assert f"ERROR: cannot read {baselines}/any/device.json\n" in done.stderr


@pytest.mark.parametrize("home", [pytest.param("/dev/null", marks=pytest.mark.nightly), "/proc"])
def test_a_home_that_is_none(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str
) -> None:
    """With a cache that is named the run works; locks are in the temporary folder, by user."""
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    result = run(*OUTPUTS)
    assert result.parseoutcomes()["passed"] == 1
    locks = tmp_path / f"pytest-infer-{os.geteuid()}" / "locks"
    assert [each.name for each in locks.glob("*.db")] == ["cpu.db"]
    assert locks.stat().st_mode & 0o777 == 0o700


HOMELESS = """
import os
from pytest_infer import CacheError
from pytest_infer.storage.lock_folder import lock_folder
from pytest_infer.storage.user_cache import user_cache

print(os.geteuid(), lock_folder())
try:
    user_cache()
except CacheError as error:
    print(error)
"""


def test_an_unknown_user_without_a_home(tmp_path: Path) -> None:
    """A number that no list of users has: locks have a place, the cache has to be named."""
    unknown = possible("unshare", "--user", "--map-user=54321")
    command = [*unknown, "env", "-u", "HOME", "-u", "XDG_CACHE_HOME", "-u", "XDG_RUNTIME_DIR"]
    done = ran([*command, sys.executable, "-c", HOMELESS], TMPDIR=str(tmp_path))
    assert done.stdout.startswith(
        f"54321 {tmp_path}/pytest-infer-54321/locks\ncannot find the user's cache folder\n  why:  "
    ), done.stderr
    assert done.stdout.endswith("name one with --infer-cache=DIR, or set HOME or XDG_CACHE_HOME\n")


@pytest.mark.parametrize("size", ["64k", "300k"])
def test_a_cache_on_a_full_disk(pytester: pytest.Pytester, bare_run: Run, size: str) -> None:
    """The folder and its room are reported, whatever library could not write into it."""
    alone = possible("unshare", "--map-root-user", "--mount")
    bare_run("--version")  # writes the toy's files
    disk = pytester.mkdir("disk")
    script = f'mount -t tmpfs -o size={size},mode=700 none {disk} && exec "$@"'
    command = [*alone, "sh", "-c", script, "sh", sys.executable, "-m", "pytest", *OUTPUTS]
    done = ran([*command, "--infer-model=toy", "--infer-device=cpu", f"--infer-cache={disk}"])
    assert "mount:" not in done.stderr
    assert f"cannot use the cache folder {disk}\n" in done.stdout, done.stdout + done.stderr
    assert f" bytes are free in {disk}\n" in done.stdout
    assert "mend: make room there, or name another folder with --infer-cache=DIR" in done.stdout
    assert "make the module exportable" not in done.stdout


JUDGED = """
from pytest_infer import Verdict

def test_it(case, enforce):
    enforce(Verdict("parity", "fail", "code", "first: 图\\n  why:  second", {"p50_ms": 1.0}))
"""


def test_a_terminal_for_ascii_only(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables and messages keep their lines; what is not ASCII is spelled or shown by its code."""
    for name, value in {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}.items():
        monkeypatch.setenv(name, value)
    (pytester.path / "test_own.py").write_text(JUDGED)
    result = run("test_own.py", "--engine=ort", "-v")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            *("first: *", "  why:  second", " model * engine * precision *", " ----------*"),
            " toy * ort * fp32 * 1 * fail: code",
        ]
    )
    assert r"first: \u56fe" in result.outlines
    assert "u2500" not in result.stdout.str()
    listed = run("--infer-engines", "-p", "no:xdist")
    assert listed.ret == 0
    assert not [line for line in listed.outlines if r"\u" in line or r"\n" in line]
