"""Cases are compared with the baselines of the device on which they ran."""

from types import SimpleNamespace

from pytest_infer.config import InferConfig
from pytest_infer.hosts.place import Place
from pytest_infer.session import run_baselines
from pytest_infer.session.run_baselines import RunBaselines

HERE = Place("laptop-00000000", (), "/cache", sees_files=True)
THERE = Place("jetson-1f2e3d4c", ("GPU-1",), "/cache/there", sees_files=False)
GPU = {"kind": "cuda", "name": "Orin", "driver": "540.4"}
CPU = {"kind": "cpu", "name": "Laptop CPU", "cores": 2}


def test_baselines_of_each_device(monkeypatch, tmp_path):
    """A device of another machine is asked for there, one of this machine is looked at here."""
    asked = []

    def device(engine, name):
        asked.append((engine, name))
        return GPU

    monkeypatch.setattr(run_baselines, "device_fingerprint", {"cpu": CPU}.__getitem__)
    hosts = SimpleNamespace(here=HERE, place=lambda engine: THERE if engine == "trt" else HERE)
    made = RunBaselines(
        InferConfig(baselines=tmp_path, update="all"),
        hosts,
        lambda: SimpleNamespace(device=device),
    )
    there, here = made.at("trt", "cuda:0"), made.at("ort", "cpu")
    assert (there._device, here._device) == (GPU, CPU)
    assert made.at("eager", "cpu") is here
    assert made.at("trt", "cuda:0") is there
    assert asked == [("trt", "cuda:0")]
