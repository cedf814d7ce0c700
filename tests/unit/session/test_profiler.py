"""What is kept of a profile, and how many calls it is of."""

from __future__ import annotations

import pytest

from pytest_infer.engines.protocol import LayerTime, LayerTimes
from pytest_infer.session.profiler import MOST_LAYERS, calls_for, profile_details


@pytest.mark.parametrize(
    ("call_ms", "calls"), [(None, 5), (0.2, 30), (100.0, 20), (1000.0, 5), (90_000.0, 5)]
)
def test_calls(call_ms: float | None, calls: int) -> None:
    """About two seconds of them, 5 to 30."""
    assert calls_for(call_ms) == calls


def test_medians_by_layer_and_by_operator() -> None:
    """The layers that take longest come first, with the module of the node that they cover."""
    times = LayerTimes(
        "a profiler",
        (
            LayerTime("a", "Conv", (1_000_000, 3_000_000, 2_000_000), "CPU", "fp32", ("node_a",)),
            LayerTime("b", "Gemm", (5_000_000,) * 3),
            LayerTime("c", "Conv", (1_500_000,) * 3),
            LayerTime("never", "Conv", ()),
        ),
    )
    found = profile_details(times, calls=3, modules={"node_a": "net.a"})
    assert [(each["name"], each["ms"], each["module"]) for each in found["layers"]] == [
        ("b", 5.0, ""),
        ("a", 2.0, "net.a"),
        ("c", 1.5, ""),
    ]
    assert found["operators"] == [
        {"operator": "Gemm", "count": 1, "ms": 5.0},
        {"operator": "Conv", "count": 2, "ms": 3.5},
    ]
    assert (found["total_ms"], found["count"], found["calls"]) == (8.5, 3, 3)


def test_a_large_engine() -> None:
    """Of many layers those that take longest are kept; operators and sums are of all."""
    layers = tuple(LayerTime(str(n), "Conv", (n * 1000,)) for n in range(1, 1001))
    found = profile_details(LayerTimes("it", layers), calls=1)
    assert len(found["layers"]) == MOST_LAYERS
    assert found["layers"][0]["name"] == "1000"
    assert found["count"] == 1000
    assert found["operators"][0]["ms"] == found["total_ms"] == pytest.approx(500.5)
