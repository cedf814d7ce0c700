"""What the page's template shows of each article, and the charts beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seeds_parts import charts
from seeds_parts.data import by_device, calls_ms, read_stored, rows_of
from seeds_parts.markdown import factor, figure, table
from seeds_parts.tables import (
    ARTICLE,
    measured_tables,
    published_table,
    speedup_tables,
    stored_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from seeds_parts.data import Row, Run, Stored

    Values = Mapping[str, Any]

H200 = "h200"
DETR, MOBILENET, EFFICIENTNET = "detr_resnet50", "mobilenet_v2_scratch", "efficientnet_b0_timm"
RESNET = "resnet50"
AS_STORED = {MOBILENET: "mobilenet_v2", EFFICIENTNET: "efficientnet_b0"}
"""Torchvision's networks, of which the H200 has figures."""


def values_of(root: Path, runs: list[Run]) -> dict[str, Values | str]:
    """Return what each article's section shows, and the speed-ups."""
    return {
        "detr": _detr(root, runs),
        "mobilenet": {**_common(root, runs, MOBILENET, ""), "charts": list(_calls(runs))},
        "efficientnet": _common(root, runs, EFFICIENTNET, "a100"),
        "resnet": _resnet(root, runs),
        "speedups": speedup_tables(runs),
    }


def charts_of(root: Path, runs: list[Run]) -> dict[str, str]:
    """Return every chart by the name of its file."""
    drawn, *_ = rows_of(runs, MOBILENET, "test_graph", "truth")  # the same network on each device
    efficientnet = _rates(root, runs, EFFICIENTNET)
    return {
        "seeds-000.svg": charts.bars(
            "DETR-ResNet50, images/s; each device has its own scale", _detr_rates(root, runs), "/s"
        ),
        **_calls(runs),
        "seeds-002-graph.svg": charts.graph("MobileNetV2(n_class=2)", drawn.details["drawing"]),
        "seeds-003.svg": charts.bars(
            "EfficientNet-B0, images/s, batch 1; each device has its own scale", efficientnet, "/s"
        ),
        "seeds-004.svg": charts.bars(
            "ResNet-50, ms, batch 1; each device has its own scale", _latencies(root, runs), "ms"
        ),
    }


def _calls(runs: list[Run]) -> dict[str, str]:
    """Return a chart of the 100 calls for each device, by the name of its file."""
    found = {}
    for device, group in by_device(runs).items():
        calls = {each.engine: calls_ms(each) for each in rows_of(group, MOBILENET, ARTICLE)}
        if calls:
            title = f"MobileNetV2 (2 classes) on {device}"
            found[f"seeds-002-{group[0].place}.svg"] = charts.lines(title, calls, "ms")
    return found


def _common(root: Path, runs: list[Run], model: str, device: str) -> dict[str, str]:
    found = {
        "measured": measured_tables(runs, model),
        "stored": stored_table(root, H200, AS_STORED.get(model, model)),
    }
    return found | ({"published": published_table(root, device, model)} if device else {})


def _detr(root: Path, runs: list[Run]) -> Values:
    published = read_stored(root, "gtx1070", DETR)[0].figures["throughput_per_s"]
    stored = read_stored(root, H200, DETR)
    factors = [
        (each.engine, factor(each.figures["throughput_per_s"], published)) for each in stored
    ]
    rows = rows_of(runs, DETR, ARTICLE)
    inputs = {each.batch: figure(each.figures["inputs_mib"]) for each in rows}
    return {
        **_common(root, runs, DETR, "gtx1070"),
        "model_mib": figure(rows[0].figures["model_mib"], "{:.2f}") if rows else "",
        "inputs": table(("batch", "MiB"), [(str(batch), mib) for batch, mib in inputs.items()]),
        "factors": table(("H200", "factor"), factors),
    }


def _resnet(root: Path, runs: list[Run]) -> Values:
    published = {each.engine: each for each in read_stored(root, "unstated-gpu", RESNET)}
    maes = (
        f"{each.engine} {each.figures['mae']:.2e}"
        for each in read_stored(root, H200, RESNET)
        if each.engine.startswith("trt-") and "mae" in each.figures
    )
    return {
        **_common(root, runs, RESNET, "unstated-gpu"),
        "consistency": _consistency(runs),
        "published_mae": f"{published['trt-fp16'].figures['mae']:.2e}",
        "stored_maes": ", ".join(maes),
    }


def _consistency(runs: list[Run]) -> str:
    rows = [
        (
            device,
            each.engine,
            figure(each.details["mae_over_eager_fp32"], "{:.2e}"),
            _classes(each.details["classes"]),
            _classes(each.details["eager_classes"]),
        )
        for device, group in by_device(runs).items()
        for each in rows_of(group, RESNET, "test_consistency", "parity")
        if "classes" in each.details
    ]
    return table(("device", "engine", "MAE", "classes above 50 %", "eager's"), rows)


def _classes(found: list[list[Any]]) -> str:
    return ", ".join(f"{index} ({name}) {share:.2f} %" for index, name, share in found) or "none"


def _rates(root: Path, runs: list[Run], model: str) -> dict[str, list[tuple[str, float]]]:
    """Return images/s of the H200 and of what was measured here."""
    rate, name = "throughput_per_s", AS_STORED.get(model, model)
    return {
        "H200, stored": [_named(each, rate) for each in read_stored(root, H200, name)],
        **_measured(runs, model, "mean_rate_per_s"),
    }


def _detr_rates(root: Path, runs: list[Run]) -> dict[str, list[tuple[str, float]]]:
    published = read_stored(root, "gtx1070", DETR)
    return {
        "GeForce GTX 1070, published": [_named(each, "throughput_per_s") for each in published],
        **_rates(root, runs, DETR),
    }


def _latencies(root: Path, runs: list[Run]) -> dict[str, list[tuple[str, float]]]:
    published = {each.engine: each.figures for each in read_stored(root, "unstated-gpu", RESNET)}
    return {
        "a GPU that is not stated, published": [
            ("PyTorch, until the call returned", published["eager-fp32"]["enqueue_mean_ms"]),
            ("TensorRT, with copies", published["trt-fp16"]["round_trip_mean_ms"]),
        ],
        "H200, stored, without copies": [
            _named(each, "p50_ms") for each in read_stored(root, H200, RESNET)
        ],
        **_measured(runs, RESNET, "round_trip_mean_ms", ", with copies"),
    }


def _measured(
    runs: list[Run], model: str, figure: str, told: str = ""
) -> dict[str, list[tuple[str, float]]]:
    """Return a figure of what was measured by an article's protocol, by device."""
    return {
        f"{device}, measured here{told}": [_named(each, figure) for each in rows]
        for device, group in by_device(runs).items()
        if (rows := rows_of(group, model, ARTICLE))
    }


def _named(each: Row | Stored, figure: str) -> tuple[str, float]:
    batch = f", batch {each.batch}" if each.batch > 1 else ""
    return f"{each.engine}{batch}", each.figures[figure]
