"""How hosts are started, and which GPU they see."""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest

from pytest_infer.hosts import pool
from pytest_infer.hosts.pool import HostPool
from pytest_infer.storage.cache import Cache


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Return the environment of an engine's host, and the GPUs of this place.

    A host is fresh, for a measurement, unless it ``is_shared``.
    """

    def call(specs, engine, *, gpu="", threads=0, is_shared=False):
        asked = []

        def start(spec, *, environment, **_):
            asked.append((spec, environment))
            return SimpleNamespace(close=lambda: None, is_alive=True)

        monkeypatch.setattr(pool, "start_host", start)
        made = HostPool(
            specs,
            timeout_s=1,
            sources=list,
            cache=Cache(tmp_path),
            guard=lambda _: nullcontext(),
            gpu=gpu,
        )
        if is_shared:
            made.shared(engine)
        else:
            with made.fresh(engine, threads):
                pass
        ((spec, environment),) = asked
        assert spec == specs.get(engine, "popen")
        return environment, made.here.gpus

    return call


def test_a_host_here_sees_its_workers_gpu(started):
    """So the device is cuda:0 for every worker; another interpreter here is bound as well."""
    bound = {"CUDA_VISIBLE_DEVICES": "GPU-b"}
    assert started({}, "ort", gpu="GPU-b") == (bound, ("GPU-b",))
    assert started({"trt": "popen//python=/opt/python"}, "trt", gpu="GPU-b")[0] == bound


@pytest.mark.parametrize("spec", ["ssh=me@jetson", "popen//env:CUDA_VISIBLE_DEVICES=3", "inline"])
def test_a_host_that_is_not_bound(started, spec):
    """Another machine has other GPUs; what a user says of a host stays so."""
    assert started({"ort": spec}, "ort", gpu="GPU-b")[0] == {}


def test_a_host_of_few_threads(started):
    """Libraries find the number in their environment."""
    assert started({}, "ort", threads=1)[0] == dict.fromkeys(pool.THREADS, "1")


@pytest.mark.parametrize("spec", ["popen", "ssh=me@jetson"])
def test_the_environment_where_nothing_is_timed(started, monkeypatch, spec):
    """Threads do not spin, and memory is kept; a measurement has both as libraries have them."""
    for name in pool.UNTIMED:
        monkeypatch.delenv(name, raising=False)
    assert started({"ort": spec}, "ort", is_shared=True)[0] == pool.UNTIMED
    assert started({"ort": spec}, "ort")[0] == {}
    assert pool.UNTIMED["OMP_WAIT_POLICY"] == "passive"


@pytest.mark.parametrize("name", pool.UNTIMED)
def test_what_a_user_says_of_the_environment(started, monkeypatch, name):
    """By the environment of pytest, or by that of a host."""
    for each in pool.UNTIMED:
        monkeypatch.delenv(each, raising=False)
    others = {each: value for each, value in pool.UNTIMED.items() if each != name}
    assert started({"ort": f"popen//env:{name}=1"}, "ort", is_shared=True)[0] == others
    monkeypatch.setenv(name, "1")
    assert started({}, "ort", is_shared=True)[0] == others


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
    assert not made.has_companion("eager")
    for _ in range(2):
        with made.companion("eager"):
            assert made.has_companion("eager")
    assert (len(started), len(ended)) == (1, 0)
    with pytest.raises(KeyError), made.companion("eager"):
        raise KeyError
    assert not made.has_companion("eager")
    with made.companion("eager"):
        pass
    assert (len(started), len(ended)) == (2, 1)
    made.close()
    assert len(ended) == 2
