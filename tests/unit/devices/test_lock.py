"""Measurements are alone on a device, other work is not."""

import subprocess
import sys

import pytest
from filelock import ReadWriteLock, Timeout

from pytest_infer.devices.lock import DeviceLock

COUNT = """
import sys
from pathlib import Path
from pytest_infer.devices.lock import DeviceLock

folder = Path(sys.argv[1])
counter = folder / "counter"
for _ in range(25):
    with DeviceLock(folder, "cuda:0").exclusive():
        counter.write_text(str(int(counter.read_text()) + 1))
"""

HOLD = """
import sys
from pathlib import Path
from pytest_infer.devices.lock import DeviceLock

lock = DeviceLock(Path(sys.argv[1]), "cpu")
with getattr(lock, sys.argv[2])():
    print("held", flush=True)
    sys.stdin.readline()
"""


def child(code, *arguments):
    """Start a process of our own Python."""
    return subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def held(tmp_path):
    """Have another process hold the lock, until the test ends."""
    processes = []

    def hold(how):
        processes.append(child(HOLD, tmp_path, how))
        assert processes[-1].stdout.readline() == "held\n"

    yield hold
    for process in processes:
        process.communicate("go\n")


def test_exclusive_across_processes(tmp_path):
    """4 processes that each add 25 times 1 to a file make 100: nobody comes between."""
    (tmp_path / "counter").write_text("0")
    processes = [child(COUNT, tmp_path) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert (tmp_path / "counter").read_text() == "100"


def test_shared_work_goes_on_together(tmp_path, held):
    """Work that is not timed does not wait for other such work, here or in another process."""
    held("shared")
    lock = DeviceLock(tmp_path, "cpu")
    with lock.shared(), lock.shared():
        pass


@pytest.mark.parametrize(
    ("theirs", "ours"), [("shared", "write"), ("exclusive", "read"), ("exclusive", "write")]
)
def test_measurement_excludes_all_else(tmp_path, held, theirs, ours):
    """A measurement waits for every other work, and every other work for it."""
    held(theirs)
    lock = ReadWriteLock(tmp_path / "cpu.db", is_singleton=False)
    with pytest.raises(Timeout), getattr(lock, f"{ours}_lock")(blocking=False):
        pass


def test_devices_are_apart(tmp_path, held):
    """A measurement on one device leaves the others alone."""
    held("exclusive")
    with DeviceLock(tmp_path, "cuda:0").exclusive():
        pass
    assert {path.name for path in tmp_path.glob("*.db")} == {"cpu.db", "cuda-0.db"}
