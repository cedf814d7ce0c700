"""The watch of a CPU reads what the kernel counts, and falls back by name."""

import pytest

from pytest_infer.devices import cpu_watch
from pytest_infer.devices.cpu_watch import CpuWatch

WALL_NS = 100_000_000


@pytest.fixture
def tasks(tmp_path):
    """Return a folder of two threads, and what sets their delays in ns."""

    def put(*delays_ns):
        for number, delay in enumerate(delays_ns):
            (tmp_path / str(number)).mkdir(exist_ok=True)
            (tmp_path / str(number) / "schedstat").write_text(f"123 {delay} 7\n")

    put(1000, 2000)
    return tmp_path, put


@pytest.mark.parametrize(("delay", "reason"), [(2_000_000, None), (2_000_001, "run-queue")])
def test_waiting_threads_spoil_a_block(tasks, tmp_path, delay, reason):
    """Two per cent of the block's wall time, over all threads, is allowed."""
    folder, put = tasks
    watch = CpuWatch(folder, tmp_path / "none", tmp_path / "none")
    mark = watch.mark()
    put(1000 + delay // 2, 2000 + delay - delay // 2)
    assert watch.disturbance(mark, WALL_NS) == reason


@pytest.mark.parametrize(("total_us", "reason"), [(12_000, None), (12_001, "pressure")])
def test_without_schedstat_the_pressure_counts(tmp_path, total_us, reason):
    """PSI counts microseconds of the whole machine."""
    pressure = tmp_path / "cpu"
    pressure.write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=10000\nfull total=0\n")
    watch = CpuWatch(tmp_path / "none", pressure, tmp_path / "none")
    mark = watch.mark()
    pressure.write_text(f"some avg10=0.00 avg60=0.00 avg300=0.00 total={total_us}\n")
    assert watch.disturbance(mark, WALL_NS) == reason


@pytest.mark.parametrize(("switches", "reason"), [(5, None), (6, "switched")])
def test_without_both_involuntary_switches_count(tmp_path, monkeypatch, switches, reason):
    """One involuntary switch within a block spoils it."""
    watch = CpuWatch(*[tmp_path / "none"] * 3)
    counts = iter([5, switches])

    class Usage:
        @property
        def ru_nivcsw(self):
            return next(counts)

    monkeypatch.setattr(cpu_watch.resource, "getrusage", lambda _: Usage())
    mark = watch.mark()
    assert watch.disturbance(mark, WALL_NS) == reason


@pytest.mark.parametrize(("ticks", "reason"), [(7, None), (8, "neighbour")])
def test_others_may_use_a_quarter_of_the_machine(tasks, tmp_path, monkeypatch, ticks, reason):
    """Of two cores, 0.1 s and 2 hundredths of our own: more than 5 hundredths are too much.

    Work is user, nice, system, interrupts and what the hypervisor stole; waiting for a disk is not.
    """
    monkeypatch.setattr(cpu_watch.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(cpu_watch.os, "sysconf", lambda _: 100)
    own = iter([5_000_000, 25_000_000])
    monkeypatch.setattr(cpu_watch, "process_time_ns", lambda: next(own))
    stat = tmp_path / "stat"
    stat.write_text("cpu  10 1 2 1000 50 3 4 5 0 0\ncpu0 5 0\n")
    watch = CpuWatch(tasks[0], tmp_path / "none", stat)
    mark = watch.mark()
    stat.write_text(f"cpu  {10 + ticks - 2} 1 2 1005 90 3 4 7 0 0\ncpu0 5 0\n")
    assert watch.disturbance(mark, WALL_NS) == reason


def test_counters_of_this_machine():
    """On this machine every counter answers and grows."""
    watch = CpuWatch()
    before = watch.mark()
    sum(range(3_000_000))
    after = watch.mark()
    assert after.source == before.source
    assert after.delay >= before.delay
    assert after.own_ns > before.own_ns
    assert after.busy_ns >= before.busy_ns > 0
    assert watch.report()["load"] >= 0
