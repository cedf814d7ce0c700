"""The quietest core, from the kernel's counters."""

import os

from pytest_infer.devices import cores


def test_quietest_core(monkeypatch, tmp_path):
    """The core that was idle for longest meanwhile, of those that this process may use."""
    stat = tmp_path / "stat"
    stat.write_text("cpu 9 9 9 9 9\ncpu0 1 0 1 900 5\ncpu1 1 0 1 100 5\ncpu2 1 0 1 0 0\nintr 1\n")

    def later(seconds):
        assert seconds == cores.WATCHED_S
        stat.write_text("cpu0 9 0 1 905 6\ncpu1 1 0 1 110 9\ncpu2 1 0 1 50 0\n")

    monkeypatch.setattr(cores, "sleep", later)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert cores.quietest_core(stat) == 1


def test_unknown(monkeypatch, tmp_path):
    """Where the kernel does not say, there is none."""
    monkeypatch.setattr(cores, "sleep", lambda _: None)
    assert cores.quietest_core(tmp_path / "none") is None
