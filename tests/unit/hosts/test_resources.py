"""What a built engine costs besides time, read from its folder, the kernel and the driver."""

import json
import os
import sys
from types import SimpleNamespace

import pytest

from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.hosts.resources import device_bytes, peak_host_bytes, resources_of

REQUEST = BuildRequest("fp32", "cpu", {})


class NVMLError(Exception):
    """What the driver raises."""


@pytest.fixture
def driver(monkeypatch):
    """A driver that shows these processes (number, bytes) on its only GPU, or raises."""

    def make(*running, error=None):
        def processes(handle):
            assert handle == "handle 0"
            if error:
                raise error
            return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in running]

        nvml = SimpleNamespace(
            NVMLError=NVMLError,
            nvmlInit=lambda: None,
            nvmlDeviceGetHandleByIndex=lambda index: f"handle {index}",
            nvmlDeviceGetComputeRunningProcesses=processes,
        )
        monkeypatch.setitem(sys.modules, "pynvml", nvml)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return make


def built(tmp_path, **facts):
    """Return a built engine of two files and a manifest."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "engine.bin").write_bytes(b"12345")
    (tmp_path / "weights/w.bin").write_bytes(b"123")
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {}, "facts": facts}))
    return BuiltEngine("ort", None, REQUEST, str(tmp_path))


def test_built_engine(tmp_path):
    """The files without their manifest are its size; the manifest says how long it took."""
    figures = resources_of(built(tmp_path, build_s=12.5), load_s=0.25)
    assert (figures["engine_bytes"], figures["build_s"], figures["load_s"]) == (8, 12.5, 0.25)
    assert set(figures) == {"engine_bytes", "build_s", "load_s", "peak_host_bytes"}


def test_built_before_it_was_timed(tmp_path):
    """An engine whose manifest has no build time has no such figure."""
    assert "build_s" not in resources_of(built(tmp_path), load_s=0.25)


def test_engine_without_files():
    """An engine that builds nothing has neither a size nor a build time."""
    figures = resources_of(BuiltEngine("eager", None, REQUEST, folder=""), load_s=0.25)
    assert set(figures) == {"load_s", "peak_host_bytes"}


def test_peak_of_the_kernel(tmp_path):
    """The kernel's high-water mark is in kB of 1024 bytes."""
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmHWM:\t  123456 kB\nVmRSS:\t    1000 kB\n")
    assert peak_host_bytes(status) == 123456 * 1024


def test_no_peak(tmp_path):
    """Where the kernel says nothing there is no figure."""
    (tmp_path / "status").write_text("Name:\tpython\n")
    assert peak_host_bytes(tmp_path / "status") is None
    assert peak_host_bytes(tmp_path / "absent") is None


def test_peak_rises():
    """Memory that was freed again counts."""
    before = peak_host_bytes()
    size = before + 50_000_000
    assert len(b"x" * size) == size
    assert peak_host_bytes() > before + 40_000_000


def test_device_memory_of_this_process(driver):
    """The driver's figure of this process, and of no other, is the device's."""
    driver((1, 7_000_000_000), (os.getpid(), 512_000_000))
    assert device_bytes("cuda:0") == 512_000_000


@pytest.mark.parametrize(
    "running", [(), ((1, 7),), ((os.getpid(), None),)], ids=["none", "others", "unknown"]
)
def test_device_memory_is_not_known(driver, running):
    """A process that the driver does not know, or says nothing of, has no figure."""
    driver(*running)
    assert device_bytes("cuda:0") is None


def test_driver_refuses(driver):
    """A driver that does not support the question is no error."""
    driver(error=NVMLError("Not Supported"))
    assert device_bytes("cuda:0") is None


def test_cpu_has_no_device_memory(monkeypatch):
    """On a CPU the driver is not asked."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert device_bytes("cpu") is None
