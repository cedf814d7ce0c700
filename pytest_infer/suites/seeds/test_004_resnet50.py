"""Article "Have you met TensorRT?": ResNet-50 through ONNX to TensorRT in fp16, with copies.

Its protocol: the mean of 10 calls. TensorRT's have the copies from and to pinned memory; PyTorch's
have none, and end when the call returns, not when the GPU has ended. Both ways are measured here.
ONNX Runtime runs the same ONNX file, on a machine without a GPU too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_infer.suites.seeds.figures import by_protocol, with_details

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
        Reference,
    )

WARMUP, CALLS = 3, 10

pytestmark = pytest.mark.experiment(
    models="resnet50", engines=("eager-fp32", "ort-fp32", "trt-fp16")
)


def test_consistency(
    engine: EngineUnderTest,
    model: LoadedModel,
    feeds: Arrays,
    reference: Reference,
    parity: Parity,
    enforce: Enforce,
) -> None:
    """The MAE of the outputs against eager's in fp32, and the classes above 50 % of both."""
    outputs = engine(feeds)
    distance = np.abs(outputs["logits"].astype(np.float64) - reference.fp32["logits"])
    verdict = with_details(
        parity(outputs),
        mae_over_eager_fp32=float(distance.mean()),
        classes=_likely(model, outputs),
        eager_classes=_likely(model, reference.fp32),
    )
    enforce(verdict, parity.task(outputs))


def test_article(
    engine: EngineUnderTest,
    feeds: Arrays,
    gpu_timer: GpuTimer,
    latency: Latency,
    baseline: BaselineJudge,
    enforce: Enforce,
) -> None:
    """The means of 10 calls, with pinned copies in and out, and without.

    On a CPU there is nothing to copy, and both are the same calls.
    """
    copied = gpu_timer(engine, feeds, copies=True, warmup=WARMUP, calls=CALLS)
    samples = gpu_timer(engine, feeds, warmup=WARMUP, calls=CALLS)
    figures = {"round_trip_mean_ms": copied.mean_ms}
    verdict = by_protocol(latency(samples), samples, **figures)
    verdict = with_details(verdict, round_trips=copied.series())
    enforce(verdict, baseline(engine, feeds, samples, figures))


def test_in_turns(
    engine: EngineUnderTest,
    eager: EngineUnderTest,
    eager_replay: EngineUnderTest | None,
    feeds: Arrays,
    gpu_timer: GpuTimer,
    latency: Latency,
    enforce: Enforce,
) -> None:
    """The speed-up over eager and its replay, timed in turns with them, inputs on the device."""
    enforce(latency(*gpu_timer.interleaved([engine, eager, eager_replay], feeds)))


def _likely(model: LoadedModel, outputs: Arrays) -> list[list[object]]:
    """Return index, name and per cent of each class above 50 % of the first photograph."""
    first = model.postprocess(outputs)[0]
    return [
        [int(label), model.labels[int(label)], 100 * float(score)]
        for label, score in zip(first["labels"], first["scores"], strict=True)
    ]
