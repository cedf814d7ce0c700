"""Article "Inference Engine": DETR-ResNet50 on five engines, at four batches, in images/s.

Its protocol: 3 calls to warm up, the mean of 5 calls, inputs on the device. It published eager's
images/s and the model's size; for the other engines it has headings without figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.suites.seeds.figures import by_protocol, sizes_mib

if TYPE_CHECKING:
    from pytest_infer import (
        Arrays,
        BaselineJudge,
        Enforce,
        EngineUnderTest,
        GpuTimer,
        Latency,
        LoadedModel,
        Parity,
    )

WARMUP, CALLS = 3, 5

pytestmark = pytest.mark.experiment(
    models="detr_resnet50",
    engines=("eager-fp32", "torchscript-fp32", "ort-fp32", "trt-fp32", "tvm-fp32"),
    batches=(1, 4, 8, 16),
)


def test_article(
    engine: EngineUnderTest,
    model: LoadedModel,
    feeds: Arrays,
    gpu_timer: GpuTimer,
    latency: Latency,
    baseline: BaselineJudge,
    enforce: Enforce,
) -> None:
    """Images/s over 5 calls after 3, megabytes of the model and of the inputs."""
    samples = gpu_timer(engine, feeds, warmup=WARMUP, calls=CALLS)
    verdict = by_protocol(latency(samples), samples, **sizes_mib(model, feeds))
    enforce(verdict, baseline(engine, feeds, samples))


def test_in_turns(
    engine: EngineUnderTest,
    eager: EngineUnderTest,
    eager_replay: EngineUnderTest | None,
    feeds: Arrays,
    gpu_timer: GpuTimer,
    parity: Parity,
    latency: Latency,
    enforce: Enforce,
) -> None:
    """Right outputs, and the speed-up over eager and its replay, timed in turns with them."""
    answer = parity(engine(feeds))
    enforce(answer, latency(*gpu_timer.interleaved([engine, eager, eager_replay], feeds)))
