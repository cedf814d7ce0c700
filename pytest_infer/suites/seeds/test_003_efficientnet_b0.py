"""Article on Torch-TensorRT: EfficientNet-B0 of timm, eager, TorchScript, Torch-TensorRT in fp16.

Its protocol: ``cudnn.benchmark`` on, batch 1, 50 calls to warm up, the mean of 1000 by the host's
clock (its benchmark function has 1000, its calls of it 100: ``--infer-calls=100``). Where
torch-tensorrt is missing, TensorRT in fp16 from ONNX stands beside the gap, and is another engine.
Eager in tf32 is what PyTorch computes by default in convolutions on an A100.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.suites.seeds.figures import by_protocol

if TYPE_CHECKING:
    from pytest_infer import (
        Arrays,
        BaselineJudge,
        Enforce,
        EngineUnderTest,
        GpuTimer,
        Latency,
        Parity,
    )

WARMUP, CALLS = 50, 1000

pytestmark = pytest.mark.experiment(
    models="efficientnet_b0_timm",
    engines=(
        "eager-fp32+cudnn_benchmark",
        "eager-tf32+cudnn_benchmark",
        "torchscript-fp32+cudnn_benchmark",
        "torch-trt-fp16",
        "trt-fp16",
    ),
)


def test_article(
    engine: EngineUnderTest,
    feeds: Arrays,
    gpu_timer: GpuTimer,
    latency: Latency,
    baseline: BaselineJudge,
    enforce: Enforce,
) -> None:
    """Images/s over 1000 calls after 50."""
    samples = gpu_timer(engine, feeds, warmup=WARMUP, calls=CALLS)
    enforce(by_protocol(latency(samples), samples), baseline(engine, feeds, samples))


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
