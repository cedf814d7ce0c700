"""The kernel's count of what it has killed for lack of memory."""

from pytest_infer.hosts.kernel_kills import memory_kills


def test_count(tmp_path):
    """It is one line among others."""
    counters = tmp_path / "vmstat"
    counters.write_text("nr_free_pages 9\noom_kill 12\noom_kill_other 3\n")
    assert memory_kills(counters) == 12


def test_no_count(tmp_path):
    """Some kernels, and some containers, give none."""
    (tmp_path / "vmstat").write_text("nr_free_pages 9\n")
    assert memory_kills(tmp_path / "vmstat") is None
    assert memory_kills(tmp_path / "none") is None
