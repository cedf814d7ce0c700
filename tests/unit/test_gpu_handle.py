"""Which of NVML's devices is torch's cuda:N."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from pytest_infer.gpu_handle import GpuHandle, gpu_handle

A, B, MIG = "GPU-aaaa-1", "GPU-bbbb-2", "MIG-cccc-3"


class FakeNvml(ModuleType):
    """Two GPUs by their place on the bus, A and B, and a MIG instance of A."""

    NVMLError = RuntimeError

    def nvmlInit(self):  # noqa: N802 - NVML's own name
        """Load the library."""

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802
        """Return a GPU."""
        return [A, B][index] if index < 2 else self._refused()

    def nvmlDeviceGetHandleByUUID(self, name):  # noqa: N802
        """Return a GPU or an instance."""
        return name if name in {A, B, MIG} else self._refused()

    def nvmlDeviceIsMigDeviceHandle(self, handle):  # noqa: N802
        """Return 1 for an instance."""
        return int(handle == MIG)

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle):  # noqa: N802
        """Return the instance's GPU."""
        assert handle == MIG
        return A

    def _refused(self):
        raise RuntimeError("Not Found")


@pytest.fixture
def find(monkeypatch):
    """Find a device with torch's UUIDs, or without any, and a CUDA_VISIBLE_DEVICES."""

    def call(device, uuids=(), visible=None, nvml=None):
        def properties(index):
            return SimpleNamespace(**({"uuid": uuids[index]} if uuids else {}))

        torch = SimpleNamespace(cuda=SimpleNamespace(get_device_properties=properties))
        monkeypatch.setitem(sys.modules, "torch", torch)
        monkeypatch.setitem(sys.modules, "pynvml", nvml or FakeNvml("pynvml"))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        return gpu_handle(device)

    return call


def test_by_uuid(find):
    """The order of torch counts, whatever NVML's is; its UUIDs have no prefix."""
    assert find("cuda:0", ["bbbb-2", "aaaa-1"]) == GpuHandle(B, B)
    assert find("cuda:1", ["bbbb-2", "aaaa-1"]) == GpuHandle(A, A)
    assert find("cuda", ["bbbb-2"]) == GpuHandle(B, B)


def test_by_uuid_beats_the_variable(find):
    """The index in CUDA_VISIBLE_DEVICES is CUDA's, not NVML's."""
    assert find("cuda:0", ["bbbb-2"], visible="0") == GpuHandle(B, B)


@pytest.mark.parametrize("uuids", [["cccc-3"], ["aaaa-1"], []])
def test_mig_instance(find, uuids):
    """A MIG instance has its board beside it, whichever UUID torch tells, or none."""
    assert find("cuda:0", uuids, visible=MIG) == GpuHandle(A, MIG)


def test_mig_instance_that_torch_names(find):
    """Without the variable, torch's UUID may be that of an instance."""
    assert find("cuda:0", ["cccc-3"]) == GpuHandle(A, MIG)


@pytest.mark.parametrize(
    ("device", "visible", "found"),
    [
        ("cuda:1", None, B),
        ("cuda:0", "1", B),
        ("cuda:1", "1, 0", A),
        ("cuda:0", B, B),
        ("cuda:1", f"{B},{A}", A),
    ],
)
def test_without_torchs_uuid(find, device, visible, found):
    """The variable's entry is the next best, then the index."""
    assert find(device, visible=visible) == GpuHandle(found, found)


@pytest.mark.parametrize(
    ("device", "uuids", "visible"),
    [
        ("cuda:0", ["dddd-4"], None),
        ("cuda:0", [], "GPU-dddd-4"),
        ("cuda:2", [], None),
        ("cuda:1", [], "0"),
    ],
)
def test_not_found(find, device, uuids, visible):
    """A device that NVML does not show is unknown; no other one is taken for it."""
    assert find(device, uuids, visible) is None


def test_older_driver(find):
    """Bindings or drivers from before MIG have whole boards only."""

    class Old(FakeNvml):
        def nvmlDeviceIsMigDeviceHandle(self, handle):  # noqa: N802
            raise AttributeError(handle)

    assert find("cuda:0", ["aaaa-1"], nvml=Old("pynvml")) == GpuHandle(A, A)
