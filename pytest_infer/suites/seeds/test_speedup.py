"""The articles' claim, for every network of theirs: how much faster than eager an engine can be.

Each engine runs with what makes it fastest here. Its outputs are judged first, at its precision.
Then it is timed in turns with eager as people run it, and with eager as a CUDA graph: the second
factor is the engine's alone, without what the host's launches cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer import Arrays, Enforce, EngineUnderTest, GpuTimer, Latency, Parity, Verdict

CLASSIFIERS = ("resnet50", "mobilenet_v2", "efficientnet_b0")
DETECTOR = "detr_resnet50"


@pytest.fixture
def right_and_fast(
    engine: EngineUnderTest,
    eager: EngineUnderTest,
    eager_replay: EngineUnderTest | None,
    feeds: Arrays,
    gpu_timer: GpuTimer,
    parity: Parity,
    latency: Latency,
) -> Callable[[], tuple[Verdict, Verdict]]:
    """Return what judges an engine's outputs, and then its calls in turns with eager's."""

    def judged() -> tuple[Verdict, Verdict]:
        answer = parity(engine(feeds))
        return answer, latency(*gpu_timer.interleaved([engine, eager, eager_replay], feeds))

    return judged


@pytest.mark.experiment(
    models=(*CLASSIFIERS, DETECTOR),
    engines=("ort-fp32", "openvino-fp32", "trt-fp16+cuda_graph"),
)
def test_floating_point(
    right_and_fast: Callable[[], tuple[Verdict, Verdict]], enforce: Enforce
) -> None:
    """The speed-up of engines that lose next to nothing."""
    enforce(*right_and_fast())


@pytest.mark.experiment(
    models=CLASSIFIERS,
    engines=("ort-int8", "openvino-int8", "trt-int8+cuda_graph+mixed"),
)
def test_int8(right_and_fast: Callable[[], tuple[Verdict, Verdict]], enforce: Enforce) -> None:
    """The speed-up of engines in int8, whose loss is bounded; the detector loses too much."""
    enforce(*right_and_fast())
