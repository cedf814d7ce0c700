"""A user's own test that times an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.engines.missing import missing_gpu

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

LACK = missing_gpu()

OWN = """
import pytest

from pytest_infer import TimingError


def test_own(engine, feeds, gpu_timer):
    samples = gpu_timer(engine, feeds)
    assert samples.clock == "monotonic"
    assert samples.percentile_ms(50) >= 20
    assert samples.is_launch_bound is None
    split = gpu_timer.split(engine, feeds)
    assert split.clock == "monotonic"
    assert split.compute_ms >= 20
    assert split.h2d_pinned_ms is split.d2h_pageable_ms is split.round_trip_ms is None


def test_cold(engine, feeds, gpu_timer):
    with pytest.raises(TimingError, match="only a GPU's L2 can be emptied"):
        gpu_timer(engine, feeds, cold_l2=True)
"""


def test_own_test_on_a_cpu(run: Run, pytester: pytest.Pytester) -> None:
    """On a CPU the samples and the split have the monotonic clock alone; a delay is in both."""
    pytester.makepyfile(test_own=OWN)
    result = run(
        "test_own.py",
        "--engine=slow",
        conftest='register(FakeEngine("slow", delay_s=0.02))',
    )
    result.assert_outcomes(passed=2)


ON_GPU = """
def test_own(engine, feeds, gpu_timer):
    samples = gpu_timer(engine, feeds)
    assert samples.clock == "cuda-event"
    assert len(samples.enqueue_ns) == len(samples.wall_ns) == len(samples.durations_ns)
    assert all(0 < host < wall for host, wall in zip(samples.enqueue_ns, samples.wall_ns))
    assert samples.is_launch_bound is (samples.launch_share >= 0.8)


def test_split(engine, feeds, gpu_timer):
    split = gpu_timer.split(engine, feeds)
    print(split)
    assert split.clock == "cuda-event"
    parts = [getattr(split, name) for name in vars(split) if name.endswith("_ms")]
    assert len(parts) == 7
    assert all(part > 0 for part in parts)


def test_cold(engine, feeds, gpu_timer):
    samples = gpu_timer(engine, feeds, cold_l2=True)
    assert samples.is_l2_cold
    assert samples.clock == "cuda-event"
"""


@pytest.mark.skipif(LACK is not None, reason=LACK.why if LACK else "")
def test_own_test_on_a_gpu(run: Run, pytester: pytest.Pytester) -> None:
    """On a GPU every part is measured, enqueueing is told apart, and the L2 can be cold."""
    pytester.makepyfile(test_own=ON_GPU)
    result = run("test_own.py", "-s", "--engine=eager", "--infer-device=cuda:0")
    result.assert_outcomes(passed=3)
