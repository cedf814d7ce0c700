"""The nodes of a compiled OpenVINO model as layers, and its performance counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.engines.adapters.openvino.nodes import BYTES, FRACTIONS, INTEGERS, MOVES, PRODUCTS
from pytest_infer.engines.protocol import LayerTime, LayerTimes
from pytest_infer.graphs.ran_layer import RanLayer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BY = "OpenVINO's performance counters (PERF_COUNT)"

PLACE = "CPU"

HIDDEN = frozenset({"Const", "Input", "Output"})
"""Layer types that are no work."""

NS_PER_US = 1000


def ran_layers(nodes: Iterable[Any]) -> list[RanLayer]:
    """Return the nodes of a runtime model, but for inputs, outputs and constants."""
    found = []
    for node in nodes:
        facts = node.get_rt_info()
        layer, precision, origin = (
            facts[key].astype(str)
            for key in ("layerType", "runtimePrecision", "originalLayersNames")
        )
        if layer not in HIDDEN:
            names = tuple(filter(None, origin.split(",")))
            found.append(
                RanLayer(
                    node.get_friendly_name(), layer, PLACE, _computes_in(layer, precision), names
                )
            )
    return found


def layer_times(calls: Sequence[Iterable[Any]], layers: Iterable[RanLayer]) -> LayerTimes:
    """Return the durations of the nodes that were executed, by their counters after each call.

    OpenVINO counts microseconds.
    """
    known = {layer.name: layer for layer in layers}
    found: dict[str, list[int]] = {}
    kinds: dict[str, str] = {}
    for counters in calls:
        for each in counters:
            if each.status == each.Status.EXECUTED:
                duration_us = round(each.real_time.total_seconds() * 1e6)
                found.setdefault(each.node_name, []).append(duration_us * NS_PER_US)
                kinds[each.node_name] = each.node_type
    return LayerTimes(
        BY,
        tuple(
            LayerTime(
                name,
                kinds[name],
                tuple(durations),
                PLACE,
                known[name].precision if name in known else "",
                known[name].covers if name in known else (),
            )
            for name, durations in found.items()
        ),
    )


def _computes_in(layer: str, kind: str) -> str:
    """Return in what a node computes; empty where it only moves data, or counts."""
    if layer in MOVES or (kind in INTEGERS and layer not in PRODUCTS):
        return ""
    return (FRACTIONS | BYTES).get(kind, "unknown precision")
