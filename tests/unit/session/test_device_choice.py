"""Each engine's cases run on a device of the machine on which its host runs."""

from types import SimpleNamespace

import pytest

from pytest_infer.config import InferConfig
from pytest_infer.errors import OptionError
from pytest_infer.hosts.place import Place
from pytest_infer.session import device_choice
from pytest_infer.session.device_choice import check_gpu, device_at, gpu_of_worker

HERE = Place("laptop-00000000", (), "/cache", sees_files=True)
THERE = Place("jetson-1f2e3d4c", ("GPU-1",), "/cache", sees_files=False)


def test_auto_is_decided_there():
    """``auto`` is the GPU of the machine that has one, and the CPU here."""
    config = InferConfig()
    assert (device_at(THERE, config), device_at(HERE, config)) == ("cuda:0", "cpu")


def test_named_device_is_everybodys():
    """A device that is named is asked for everywhere."""
    config = InferConfig(device="cuda:1")
    assert (device_at(THERE, config), device_at(HERE, config)) == ("cuda:1", "cuda:1")


def test_workers_have_gpus_in_turn(monkeypatch):
    """Only workers are bound to one, and only where no device was named."""
    monkeypatch.setattr(device_choice, "gpu_in_turn", ["GPU-a", "GPU-b"].__getitem__)
    assert gpu_of_worker(InferConfig(worker=1)) == "GPU-b"
    assert gpu_of_worker(InferConfig()) == ""
    assert gpu_of_worker(InferConfig(worker=1, device="cuda:0")) == ""


def test_gpu_that_is_not_there(monkeypatch):
    """A GPU beyond those that the driver shows is refused, whatever torch has; a CPU never is."""
    monkeypatch.setattr(device_choice, "missing_gpu", lambda: None)
    monkeypatch.setattr(device_choice, "visible_gpus", lambda: ("GPU-a", "GPU-b"))
    check_gpu("cuda:1")
    with pytest.raises(OptionError) as caught:
        check_gpu("cuda:2")
    assert str(caught.value) == (
        "cannot use device cuda:2\n"
        "  why:  the driver shows 2 GPUs, counted from 0\n"
        "  mend: choose cuda:0 to cuda:1"
    )
    lack = SimpleNamespace(why="torch has no CUDA", mend="install it")
    monkeypatch.setattr(device_choice, "missing_gpu", lambda: lack)
    with pytest.raises(OptionError, match="torch has no CUDA"):
        check_gpu("cuda:0")
    check_gpu("cpu")
