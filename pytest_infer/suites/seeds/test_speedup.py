"""The articles' claim, for every network of theirs: how much faster than eager an engine can be.

Each engine runs with what makes it fastest here. Its outputs are judged first, at its precision.
Then it is timed in turns with eager as people run it, and with eager as a CUDA graph: the second
factor is the engine's alone, without what the host's launches cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_infer import Arrays, Enforce, EngineUnderTest, GpuTimer, Latency, Parity

CLASSIFIERS = ("resnet50", "mobilenet_v2", "efficientnet_b0")
DETECTOR = "detr_resnet50"


@pytest.mark.experiment(
    models=(*CLASSIFIERS, DETECTOR),
    engines=("ort-fp32", "openvino-fp32", "trt-fp16+cuda_graph"),
)
def test_floating_point(
    engine: EngineUnderTest,
    eager: EngineUnderTest,
    eager_replay: EngineUnderTest | None,
    feeds: Arrays,
    gpu_timer: GpuTimer,
    parity: Parity,
    latency: Latency,
    enforce: Enforce,
) -> None:
    """The speed-up of engines that lose next to nothing."""
    answer = parity(engine(feeds))
    enforce(answer, latency(*gpu_timer.interleaved([engine, eager, eager_replay], feeds)))


@pytest.mark.experiment(
    models=CLASSIFIERS,
    engines=("ort-int8", "openvino-int8", "trt-int8+cuda_graph+mixed"),
)
def test_int8(
    engine: EngineUnderTest,
    eager: EngineUnderTest,
    eager_replay: EngineUnderTest | None,
    feeds: Arrays,
    gpu_timer: GpuTimer,
    parity: Parity,
    latency: Latency,
    enforce: Enforce,
) -> None:
    """The speed-up of engines in int8, whose loss is bounded; the detector loses too much."""
    answer = parity(engine(feeds))
    enforce(answer, latency(*gpu_timer.interleaved([engine, eager, eager_replay], feeds)))
