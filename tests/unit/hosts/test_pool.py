"""How hosts are started, and which GPU they see."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from pytest_infer.hosts import pool
from pytest_infer.hosts.pool import HostPool
from pytest_infer.storage.cache import Cache


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Return the specifications with which engines' hosts are started."""

    def call(specs, engine, *, gpu="", threads=0):
        asked = []

        def start(spec, **_):
            asked.append(spec)
            return SimpleNamespace(close=lambda: None)

        monkeypatch.setattr(pool, "start_host", start)
        made = HostPool(
            specs, timeout_s=1, sources=list, cache=Cache(tmp_path), guard=None, gpu=gpu
        )
        with made.fresh(engine, threads):
            (spec,) = asked
        return spec, made.here.gpus

    return call


def test_a_host_here_sees_its_workers_gpu(started):
    """So the device is cuda:0 for every worker; another interpreter here is bound as well."""
    assert started({}, "ort", gpu="GPU-b") == ("popen//env:CUDA_VISIBLE_DEVICES=GPU-b", ("GPU-b",))
    there = started({"trt": "popen//python=/opt/python"}, "trt", gpu="GPU-b")[0]
    assert there == "popen//python=/opt/python//env:CUDA_VISIBLE_DEVICES=GPU-b"


@pytest.mark.parametrize("spec", ["ssh=me@jetson", "popen//env:CUDA_VISIBLE_DEVICES=3", "inline"])
def test_a_host_that_is_not_bound(started, spec):
    """Another machine has other GPUs; what a user says of a host stays so."""
    assert started({"ort": spec}, "ort", gpu="GPU-b")[0] == spec


def test_a_host_of_few_threads(started):
    """Libraries find the number in their environment."""
    spec, _ = started({}, "ort", threads=1)
    assert spec.startswith("popen//env:OMP_NUM_THREADS=1//env:OMP_THREAD_LIMIT=1")
    assert "CUDA" not in spec


def test_calls_of_a_measurement(monkeypatch, tmp_path):
    """Each shows those who wait for the device that the measurement goes on."""
    seen = []
    host = SimpleNamespace(place="here", call=lambda *_, **__: seen.append("call"), close=list)
    monkeypatch.setattr(pool, "start_host", lambda *_, **__: host)

    @contextmanager
    def measuring(place):
        seen.append(place)
        yield

    made = HostPool(
        {}, timeout_s=1, sources=list, cache=Cache(tmp_path), guard=None, fresh_guard=measuring
    )
    with made.fresh("ort") as fresh:
        fresh.call("engine.time", error=None, doing="time")
        fresh.call("engine.time", error=None, doing="time")
    assert seen == ["here", "call", "here", "call"]


def test_a_companion_is_kept_until_an_error(monkeypatch, tmp_path):
    """What failed may still run there, so nobody else is answered by that process."""
    started, ended = [], []

    class Started:
        def __init__(self, spec, **_):
            self.is_alive, self.place = True, "here"
            started.append(spec)

        def close(self):
            self.is_alive = False
            ended.append(self)

    monkeypatch.setattr(pool, "start_host", Started)
    made = HostPool({}, timeout_s=1, sources=list, cache=Cache(tmp_path), guard=None)
    for _ in range(2):
        with made.companion("eager"):
            pass
    assert (len(started), len(ended)) == (1, 0)
    with pytest.raises(KeyError), made.companion("eager"):
        raise KeyError
    with made.companion("eager"):
        pass
    assert (len(started), len(ended)) == (2, 1)
    made.close()
    assert len(ended) == 2
