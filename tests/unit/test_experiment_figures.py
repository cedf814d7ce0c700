"""What the experiments of the articles add to verdicts, and the graph that they draw."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pytest_infer.suites.seeds.drawing import counts_of, drawn_rows
from pytest_infer.suites.seeds.figures import by_protocol, sizes_mib, with_details
from pytest_infer.timing.samples import Samples
from pytest_infer.verdict import Verdict

torch = pytest.importorskip("torch")

VERDICT = Verdict("latency", "pass", "measured", "x", {"p50_ms": 1.0}, {"samples": 1})


def test_means() -> None:
    """Rows per second follow from the mean of the calls, not from their median."""
    samples = Samples((1_000_000, 1_000_000, 4_000_000), "monotonic", 4, 3)
    figures = by_protocol(VERDICT, samples, more=5.0).figures
    assert figures == {
        "p50_ms": 1.0, "mean_ms": 2.0, "mean_rate_per_s": 2000.0, "warmup_calls": 3, "more": 5.0,
    }  # fmt: skip


def test_means_on_a_gpu() -> None:
    """There the mean until the call returned is another figure."""
    samples = Samples((4_000_000,), "cuda-event", 1, 0, (5_000_000,), enqueue_ns=(3_000_000,))
    assert by_protocol(VERDICT, samples).figures["enqueue_mean_ms"] == 3.0


def test_details() -> None:
    """They stand beside those that are there."""
    assert with_details(VERDICT, drawing=[]).details == {"samples": 1, "drawing": []}


def test_sizes() -> None:
    """Parameters and buffers count, and each input by its own type."""
    module = torch.nn.BatchNorm1d(2**18)  # 4 of fp32, and a counter
    feeds = {"x": np.zeros(2**18, np.float32), "mask": np.zeros(2**18, np.int64)}
    found = sizes_mib(SimpleNamespace(module=module), feeds)
    assert found["model_mib"] == pytest.approx(4.0, abs=1e-4)
    assert found["inputs_mib"] == 3.0


def test_drawing() -> None:
    """The network has 52 convolutions, as many norms, 10 additions, and a row for each block."""
    from pytest_infer.models.networks.mobilenet_v2 import MobileNetV2

    rows = drawn_rows(MobileNetV2(n_class=2).eval())
    counts = counts_of(rows)
    assert (counts["Conv2d"], counts["BatchNorm2d"], counts["add"]) == (52, 52, 10)
    names = [row["name"] for row in rows]
    blocks = [f"blocks.{index}" for index in range(17)]
    assert names == ["stem", *blocks, "last", "pool", "dropout", "classifier"]
    assert rows[0]["operations"][0] == {"kind": "Conv2d", "told": "3-32 3x3 /2"}
    assert rows[3]["operations"][-1]["kind"] == "add"
