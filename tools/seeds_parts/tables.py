"""The tables of a section: what the article says, what was measured here, what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seeds_parts.data import by_device, read_stored, rows_of
from seeds_parts.markdown import factor, figure, link, table

if TYPE_CHECKING:
    from pathlib import Path

    from seeds_parts.data import Row, Run

EAGER = "eager-fp32"
ARTICLE, IN_TURNS = "test_article", "test_in_turns"
SPEEDUP = ("test_floating_point", "test_int8")

NETWORKS = {
    "resnet50": "ResNet-50",
    "detr_resnet50": "DETR-ResNet50",
    "efficientnet_b0": "EfficientNet-B0",
    "mobilenet_v2": "MobileNetV2",
}

NOT_MEASURED = "It was not measured on this machine yet."

PUBLISHED = {
    "throughput_per_s": "{:g} images/s",
    "enqueue_mean_ms": "{:g} ms until the call returned",
    "round_trip_mean_ms": "{:g} ms with copies",
    "speedup": "{:g} times PyTorch",
    "mae": "MAE {:g}",
}
"""How a published figure is shown."""


def published_table(root: Path, device: str, model: str) -> str:
    """Return what an article has published, as it is stored."""
    entries = read_stored(root, device, model)
    rows = [
        (
            each.engine,
            str(each.batch),
            ", ".join(
                form.format(each.figures[name])
                for name, form in PUBLISHED.items()
                if name in each.figures
            ),
            each.provenance["note"],
        )
        for each in entries
    ]
    told = f"As stored in {link(entries[0].file)}, from the {entries[0].provenance['source']}:"
    shown = table(("engine", "batch", "published", "how, and what is not stated"), rows)
    return f"{told}\n\n{shown}"


def measured_tables(runs: list[Run], model: str) -> str:
    """Return a table per device: an article's protocol, and the same engines in turns with eager.

    What none of a table's rows has is no column of it.
    """
    parts = []
    for device, group in by_device(runs).items():
        if rows_of(group, model, ARTICLE):
            parts += [f"{device}:", _measured(group, model)]
    return "\n\n".join(parts) or NOT_MEASURED


def _measured(runs: list[Run], model: str) -> str:
    article = rows_of(runs, model, ARTICLE)
    turns = {(each.engine, each.batch): each for each in rows_of(runs, model, IN_TURNS)}
    errors = {
        (each.engine, each.batch): each.figures.get("worst_ratio")
        for test in (IN_TURNS, "test_consistency")
        for each in rows_of(runs, model, test, "parity")
        if "worst_ratio" in each.figures
    }
    rows = []
    for each in article:
        key = (each.engine, each.batch)
        beside = turns[key].figures if key in turns else {}
        rate = each.figures["mean_rate_per_s"]
        rows.append(
            {
                "engine": each.engine,
                "batch": str(each.batch),
                "calls": f"{each.figures['calls']:g}",
                "mean ms": figure(each.figures["mean_ms"]),
                "with copies": _copies(each),
                "images/s": figure(rate),
                "x eager's": factor(rate, eager_rate(article, each.batch)),
                "waited": figure(each.figures.get("waited_share"), "{:.0%}"),
                "p50 ms in turns": figure(beside.get("p50_ms")),
                "over eager in turns": figure(beside.get("speedup"), "{:.2f}x"),
                "over its CUDA graph": figure(beside.get("speedup_over_replay"), "{:.2f}x"),
                "error, of tolerance": figure(errors.get(key), "{:.0%}"),
            }
        )
    headings = [name for name in rows[0] if any(row[name] for row in rows)]
    return table(headings, [[row[name] for name in headings] for row in rows])


def speedup_tables(runs: list[Run]) -> str:
    """Return a table per device: each network's engines over eager, the fastest in bold."""
    parts = []
    for device, group in by_device(runs).items():
        if rows := [each for model in NETWORKS for each in _speedups(group, model)]:
            headings = [name for name in rows[0] if any(row[name] for row in rows)]
            shown = table(headings, [[row[name] for name in headings] for row in rows])
            parts += [f"{device}:", shown]
    return "\n\n".join(parts) or NOT_MEASURED


def _speedups(runs: list[Run], model: str) -> list[dict[str, str]]:
    rows = [each for test in SPEEDUP for each in rows_of(runs, model, test)]
    errors = {
        each.engine: each.figures["worst_ratio"]
        for test in SPEEDUP
        for each in rows_of(runs, model, test, "parity")
        if "worst_ratio" in each.figures
    }
    right = [each for each in rows if errors.get(each.engine, 2) <= 1]
    best = min(right, key=lambda each: each.figures["p50_ms"], default=None)
    return [
        {
            "network": NETWORKS[model],
            "engine": f"**{each.engine}**" if each is best else each.engine,
            "p50 ms": figure(each.figures["p50_ms"]),
            "eager's": figure(each.figures["eager_p50_ms"]),
            "over eager": figure(each.figures["speedup"], "{:.2f}x"),
            "its CUDA graph's p50 ms": figure(each.figures.get("eager_replay_p50_ms")),
            "over its CUDA graph": figure(each.figures.get("speedup_over_replay"), "{:.2f}x"),
            "error, of tolerance": figure(errors.get(each.engine), "{:.0%}"),
        }
        for each in rows
    ]


def _copies(row: Row) -> str:
    """Return what a call takes with its copies; nothing on a CPU, where there are none."""
    on_gpu = "enqueue_mean_ms" in row.figures
    return figure(row.figures.get("round_trip_mean_ms")) if on_gpu else ""


def eager_rate(rows: list[Row], batch: int) -> float | None:
    """Return eager's rows per second at a batch, by the mean; None where it did not run."""
    found = [each for each in rows if (each.engine, each.batch) == (EAGER, batch)]
    return found[-1].figures["mean_rate_per_s"] if found else None


def stored_table(root: Path, device: str, model: str) -> str:
    """Return what is stored of a model on a device, with dates and versions."""
    entries = read_stored(root, device, model)
    headings = (
        *("engine", "batch", "p50 ms", "p99 ms", "images/s", "over eager by launches"),
        *("versions", "date"),
    )
    rows = [
        (
            each.engine,
            str(each.batch),
            figure(each.figures.get("p50_ms")),
            figure(each.figures.get("p99_ms")),
            figure(each.figures.get("throughput_per_s")),
            figure(each.figures.get("speedup"), "{:.2f}x"),
            ", ".join(f"{name} {told}" for name, told in each.provenance["versions"].items()),
            each.provenance["date"],
        )
        for each in entries
    ]
    origin = entries[0].provenance
    told = (
        f"{origin['device']}, driver {origin['driver']}, as stored in {link(entries[0].file)} "
        f"(each entry there has its command):"
    )
    return f"{told}\n\n{table(headings, rows)}"
