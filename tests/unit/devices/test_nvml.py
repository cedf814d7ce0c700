"""Which of NVML's devices is torch's cuda:N."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from pytest_infer.devices.nvml import GpuHandle, gpu_handle, gpu_in_turn, visible_gpus

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

    def nvmlDeviceGetCount(self):  # noqa: N802
        """Return how many GPUs there are."""
        return 2

    def nvmlDeviceGetUUID(self, handle):  # noqa: N802
        """Return a GPU's name for all."""
        return handle

    def nvmlDeviceGetName(self, handle):  # noqa: N802
        """Return what it is: both are of one kind."""
        assert handle in {A, B, MIG}
        return "NVIDIA H200"

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


@pytest.fixture
def gpus(monkeypatch):
    """Plant NVML and the variable."""

    def plant(visible=None, nvml=None):
        monkeypatch.setitem(sys.modules, "pynvml", nvml or FakeNvml("pynvml"))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return plant


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        (None, (A, B)),
        ("1", (B,)),
        ("1,0", (B, A)),
        (f"{B}, {A}", (B, A)),
        ("GPU-bb", (B,)),
        (MIG, (MIG,)),
        ("", ()),
        ("-1", ()),
        ("1,-1,0", (B,)),
        ("0,7", (A,)),
    ],
)
def test_visible_gpus(gpus, visible, found):
    """What CUDA shows: all, or what the variable names up to the first unknown entry."""
    gpus(visible)
    assert visible_gpus() == found


def test_no_driver(gpus):
    """Without a driver there is no GPU, and nothing falls to anybody."""

    class Absent(FakeNvml):
        def nvmlInit(self):  # noqa: N802
            self._refused()

    gpus(nvml=Absent("pynvml"))
    assert visible_gpus() == ()
    assert gpu_in_turn(1) == ""


def test_a_gpu_without_uuid(gpus):
    """It is named by its index."""

    class Silent(FakeNvml):
        def nvmlDeviceGetUUID(self, _):  # noqa: N802
            self._refused()

    gpus(nvml=Silent("pynvml"))
    assert visible_gpus() == ("0", "1")


def test_gpus_in_turn(gpus):
    """Processes get them one after the other, and begin again."""
    gpus()
    assert [gpu_in_turn(number) for number in range(5)] == [A, B, A, B, A]


def test_one_gpu_is_for_all(gpus):
    """Nobody is bound to the only one."""
    gpus("1")
    assert [gpu_in_turn(number) for number in range(2)] == ["", ""]


def test_a_gpu_of_another_kind_has_no_turn(gpus):
    """Workers would measure on unlike devices, and collect unlike cases."""

    class Mixed(FakeNvml):
        def nvmlDeviceGetName(self, handle):  # noqa: N802
            return {A: "NVIDIA H200", B: "NVIDIA T4"}[handle]

    gpus(nvml=Mixed("pynvml"))
    assert gpu_in_turn(1) == ""
