"""What the fixtures of one process share."""

from contextlib import contextmanager
from threading import Event
from types import SimpleNamespace

import pytest

from pytest_infer.config import InferConfig
from pytest_infer.hosts import pool
from pytest_infer.hosts.host_role import HostRole
from pytest_infer.reports.counts import Coverage
from pytest_infer.session import session
from pytest_infer.session.session import InferSession


@pytest.fixture
def run(tmp_path):
    """Make a session; nothing of it is made before it is asked for."""

    def make(**options):
        return InferSession(InferConfig(baselines=tmp_path, **options))

    return make


def test_without_a_cache(run, monkeypatch, tmp_path):
    """What is made goes with the run; bundles of failures stay, in the user's cache."""
    monkeypatch.setattr(session, "user_cache", lambda: tmp_path / "user")
    made = run(cache="off")
    root = made.cache.root
    assert root.is_dir()
    assert made.cache.root == root
    assert made._bundles == tmp_path / "user"
    made.close()
    assert not root.exists()
    assert run(cache=tmp_path / "mine")._bundles == tmp_path / "mine"


def test_counts_only_what_was_made(run):
    """To count makes no matrix, artefacts or hosts; what was made is counted."""
    made, coverage = run(), Coverage()
    made.count(coverage)
    assert coverage == Coverage()
    made.__dict__["hosts"] = SimpleNamespace(sent_bytes={"jetson": 7})
    made.count(coverage)
    assert coverage == Coverage(sent_bytes={"jetson": 7})
    assert made.take_samples() == []


def test_counts_are_added_to_those_of_workers(run):
    """The process that xdist's workers report to has built nothing, and forgets nothing."""
    made, coverage = run(), Coverage()
    coverage.merge_worker(
        Coverage(built=2, reused=1, weights={"toy": "random"}, probe_s={"toy": 1.0}).as_dict()
    )
    tally = SimpleNamespace(made=1, found=0, notices=("odd",))
    modules = SimpleNamespace(notices=(), weights={"net": "seeded"}, probe_s={"toy": 0.5})
    made.__dict__["artefacts"] = SimpleNamespace(
        engines=SimpleNamespace(tally=tally), graphs=SimpleNamespace(modules=modules)
    )
    made.count(coverage)
    assert (coverage.built, coverage.reused, coverage.notices) == (3, 1, ("odd",))
    assert coverage.weights == {"toy": "random", "net": "seeded"}
    assert coverage.probe_s == {"toy": 1.5}


def test_nothing_is_made_ahead_beside_what_is_timed(monkeypatch, tmp_path):
    """Holding devices alone, for a measurement or a build that times kernels, lets all wait."""
    held = []

    @contextmanager
    def paused(each):
        held.append(type(each).__name__)
        yield
        held.remove(type(each).__name__)

    for kind in (session.BuildsAhead, session.HostPool):
        monkeypatch.setattr(kind, "paused", paused)
    run = InferSession(InferConfig(device="cpu", cache=tmp_path))
    with run.devices.alone(["eager"]):
        assert set(held) == {"BuildsAhead", "HostPool"}
    with run.hosts._alone_guard(run.hosts.here):
        assert set(held) == {"BuildsAhead", "HostPool"}
    with run.devices.held(["eager"]):
        assert set(held) == {"BuildsAhead"}  # whoever times pauses hosts
    assert held == []
    run.close()


def test_hosts_are_started_ahead_while_devices_are_held(monkeypatch, tmp_path):
    """What starts them does not wait for the measurement, which waits for it."""
    started = Event()
    monkeypatch.setattr(pool, "start_host", lambda *_, **__: started.set() or Started())
    monkeypatch.setattr(pool, "_import_libraries", lambda *_: None)
    run = InferSession(InferConfig(device="cpu", cache=tmp_path))
    with run.devices.held(["eager"]):
        run.hosts.begin([HostRole("eager", "fresh")])
        assert started.wait(60)
        with run.hosts.paused():
            assert run.hosts._ahead.take(HostRole("eager", "fresh")) is not None
    run.close()


class Started:
    """A host that does nothing."""

    is_alive = True

    def close(self):
        """End."""
