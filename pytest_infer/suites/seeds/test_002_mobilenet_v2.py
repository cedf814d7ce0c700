"""Article "3 Inference Engines for optimal throughput": MobileNetV2 over 100 calls, and its graph.

Its protocol: 100 calls of each engine, shown as a chart; no figure is in its text. ONNX Runtime
runs as it comes, and with its optimisation level and threads set, which the article recommends.
TensorRT runs in tf32 too: trtexec, which the article calls, allows it unless ``--noTF32`` is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.suites.seeds.drawing import counts_of, drawn_rows
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
        Truth,
    )

WARMUP, CALLS = 10, 100
MODEL = "mobilenet_v2_scratch"

ours = pytest.mark.experiment(
    models=MODEL,
    engines=(
        "eager-fp32",
        "compile-fp32",
        "ort-fp32",
        "ort-fp32+optimization_level=none",
        "ort-fp32+inter_op_threads=1+intra_op_threads=1+optimization_level=extended",
        "trt-fp32",
        "trt-tf32",
    ),
)


@ours
def test_article(
    engine: EngineUnderTest,
    feeds: Arrays,
    gpu_timer: GpuTimer,
    latency: Latency,
    baseline: BaselineJudge,
    enforce: Enforce,
) -> None:
    """100 calls of one image, each of which the HTML report and the page of results chart."""
    samples = gpu_timer(engine, feeds, warmup=WARMUP, calls=CALLS)
    enforce(by_protocol(latency(samples), samples), baseline(engine, feeds, samples))


@ours
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


@pytest.mark.experiment(models=MODEL, engines="ort-fp32")
def test_graph(model: LoadedModel, truth: Truth, enforce: Enforce) -> None:
    """The graph is drawn, and the exported one is the network that the paper on it describes."""
    rows = drawn_rows(model.module)
    counts = counts_of(rows)
    assert counts["Conv2d"] == counts["BatchNorm2d"] == 52, counts  # noqa: PLR2004 - Table 2 of it
    assert counts["add"] == 10, counts  # noqa: PLR2004 - the blocks whose shapes allow it
    enforce(with_details(truth.graph(), drawing=rows))
