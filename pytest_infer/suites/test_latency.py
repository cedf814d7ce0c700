"""Every engine is as fast as its baseline says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_infer import Arrays, BaselineJudge, Enforce, EngineUnderTest, GpuTimer, Latency


def test_latency(
    engine: EngineUnderTest,
    eager: EngineUnderTest,
    feeds: Arrays,
    gpu_timer: GpuTimer,
    latency: Latency,
    baseline: BaselineJudge,
    enforce: Enforce,
) -> None:
    """Percentiles, throughput and the speed-up over eager, timed in turns with it."""
    samples, eager_samples = gpu_timer.interleaved([engine, eager], feeds)
    enforce(latency(samples, eager_samples), baseline(engine, feeds, samples))
