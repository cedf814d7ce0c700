"""A user's own test that times an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Run = Callable[..., pytest.RunResult]

OWN = """
import pytest

from pytest_infer.errors import TimingError


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
