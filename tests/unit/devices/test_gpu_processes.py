"""Which processes on a GPU are not this run's own."""

import os
from types import SimpleNamespace

import pytest

from pytest_infer.devices import gpu_processes
from pytest_infer.devices.gpu_processes import foreign

HERE, PARENT = os.getpid(), os.getppid()
HOST = "python\0-u\0-c\0serve\0"


def on_gpu(*pids, used_bytes=3 << 20):
    """Return processes as NVML lists them."""
    return [SimpleNamespace(pid=pid, usedGpuMemory=used_bytes) for pid in pids]


@pytest.fixture
def proc(monkeypatch):
    """Processes by number: their parent, name and command line, as /proc has them."""
    known = {HERE: (PARENT, "python", HOST)}

    def read(pid, name):
        if pid not in known:
            return ""
        parent, comm, cmdline = known[pid]
        return {"comm": f"{comm}\n", "cmdline": cmdline, "stat": f"{pid} ({comm}) R {parent} 9 9"}[
            name
        ]

    monkeypatch.setattr(gpu_processes, "_read", read)
    return known


@pytest.mark.usefixtures("proc")
def test_alone():
    """Our process and its parent are not foreign, however often they are listed."""
    assert foreign(on_gpu(HERE, PARENT), on_gpu(HERE)) == []


def test_foreign(proc):
    """Another process is named, with its memory if that is known."""
    proc[77] = 1, "my (odd) name", "train\0"
    found = foreign(on_gpu(HERE, 77), on_gpu(78, used_bytes=None))
    assert found == ["pid 77 (my (odd) name), 3 MiB", "pid 78 (unknown), memory unknown"]


def test_hosts_of_one_parent(proc):
    """An engine host of the same parent is ours in any environment; its other children are not."""
    proc[77] = PARENT, "python3.10", HOST.replace("python", "/opt/trt8/bin/python")
    proc[78] = PARENT, "python", "python\0train.py\0"
    proc[79] = 1, "python", HOST
    assert [each.split()[1] for each in foreign(on_gpu(HERE, 77, 78, 79), [])] == ["78", "79"]


def test_hosts_behind_their_keepers(proc):
    """Between each host and its caller is a fork of the host; the caller's hosts are ours."""
    proc[HERE] = 50, "python", HOST
    proc[50] = 40, "python", HOST
    proc[40] = 1, "pytest", "python\0-m\0pytest\0"
    proc[61], proc[60] = (60, "python", HOST), (40, "python", HOST)
    proc[71], proc[70] = (70, "python", HOST), (41, "python", HOST)
    assert [each.split()[1] for each in foreign(on_gpu(HERE, 40, 61, 71), [])] == ["71"]


@pytest.mark.usefixtures("proc")
def test_numbers_of_another_namespace():
    """If this process is not listed, one of those that are must be it."""
    assert foreign(on_gpu(4321), []) == []
    text = "one of the pids 4321, 8765, which this container does not know"
    assert foreign(on_gpu(4321, 8765), None) == [text]


@pytest.mark.usefixtures("proc")
@pytest.mark.parametrize(("compute", "graphics"), [(None, None), ([], []), ([], None)])
def test_unknown(compute, graphics):
    """Refused, or without even this process, the lists say nothing."""
    assert foreign(compute, graphics) is None


def test_this_process_is_read():
    """Linux's /proc has what is needed; of a process that is gone there is nothing."""
    assert gpu_processes._parent(HERE) == PARENT
    assert gpu_processes._arguments(HERE)
    assert gpu_processes._parent(1 << 22) == 0
