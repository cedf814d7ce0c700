"""Each engine's device, lock and baselines are those of the machine on which its host runs."""

from types import SimpleNamespace

import pytest

from pytest_infer.config import InferConfig
from pytest_infer.hosts.place import Place
from pytest_infer.session import session
from pytest_infer.session.session import InferSession

HERE = Place("laptop-00000000", (), "/cache", sees_files=True)
THERE = Place("jetson-1f2e3d4c", ("GPU-1",), "/cache/there", sees_files=False)
GPU = {"kind": "cuda", "name": "Orin", "driver": "540.4"}
CPU = {"kind": "cpu", "name": "Laptop CPU", "cores": 2}


class Pool:
    """Hosts of which only TensorRT's is elsewhere."""

    here = HERE

    def place(self, engine):
        """Return where an engine's host runs."""
        return THERE if engine == "trt" else HERE


class Identities:
    """Knows the device there."""

    def device(self, engine, device):
        """Return its fingerprint."""
        assert (engine, device) == ("trt", "cuda:0")
        return GPU


@pytest.fixture
def run(monkeypatch, tmp_path):
    """A session on a laptop without a GPU, with a host on a machine that has one."""
    monkeypatch.setattr(session, "device_fingerprint", {"cpu": CPU}.__getitem__)

    def make(**options):
        made = InferSession(InferConfig(baselines=tmp_path, **options))
        made.__dict__ |= {"hosts": Pool(), "artefacts": SimpleNamespace(identities=Identities())}
        return made

    return make


def test_auto_is_decided_there(run):
    """``auto`` is the GPU of the machine that has one, and the CPU here."""
    made = run()
    assert (made.device_of("trt"), made.device_of("ort")) == ("cuda:0", "cpu")


def test_without_a_cache(run, monkeypatch, tmp_path):
    """What is made goes with the run; bundles of failures stay, in the user's cache."""
    monkeypatch.setattr(session, "user_cache", lambda: tmp_path / "user")
    made = run(cache="off")
    root = made.cache.root
    assert root.is_dir()
    assert made.cache.root == root
    assert made._bundles == tmp_path / "user"
    made.__dict__.pop("hosts")
    made.close()
    assert not root.exists()
    assert run(cache=tmp_path / "mine")._bundles == tmp_path / "mine"


def test_named_device_is_everybodys(run):
    """A device that is named is asked for everywhere."""
    made = run(device="cuda:1")
    assert (made.device_of("trt"), made.device_of("ort")) == ("cuda:1", "cuda:1")


def test_locks(run, monkeypatch):
    """A measurement holds each device it uses, there by the machine's name, in one order."""
    held = []

    class Lock:
        def __init__(self, _, name, limit_s):
            assert limit_s == made.config.timeout_s
            self._name = name

        def exclusive(self):
            held.append(self._name)
            return session.ExitStack()

        shared = exclusive

        def touch(self):
            held.append(f"{self._name} goes on")

    monkeypatch.setattr(session, "DeviceLock", Lock)
    made = run()
    with made.exclusive(["trt", "ort", "eager"]):
        assert held == ["cpu", "jetson-1f2e3d4c-GPU-1"]
    with made._shared(THERE):
        assert held[2:] == ["jetson-1f2e3d4c-GPU-1"]
    with made._going_on(THERE):
        assert held[3:] == ["jetson-1f2e3d4c-GPU-1 goes on"]


def test_baselines_of_each_device(run):
    """Cases are compared with the baselines of the device on which they ran."""
    made = run(update="all")
    there, here = made.baselines("trt", "cuda:0"), made.baselines("ort", "cpu")
    assert (there._device, here._device) == (GPU, CPU)
    assert made.baselines("eager", "cpu") is here


def test_workers_have_gpus_in_turn(run, monkeypatch):
    """Only workers are bound to one, and only where no device was named."""
    monkeypatch.setattr(session, "gpu_in_turn", ["GPU-a", "GPU-b"].__getitem__)
    assert run(worker=1)._own_gpu == "GPU-b"
    assert run()._own_gpu == ""
    assert run(worker=1, device="cuda:0")._own_gpu == ""
