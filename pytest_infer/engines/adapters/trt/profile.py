"""TensorRT's own profiler, and the layers of an engine by its inspector.

Written to the API that is recorded of 8.6, 10 and 11.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.adapters.trt.layers import layers_in, moves_only, precision_of
from pytest_infer.engines.protocol import LayerTime, LayerTimes
from pytest_infer.graphs.ran_layer import RanLayer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BY = "TensorRT's profiler (IProfiler)"

PLACE = "GPU"

NS_PER_MS = 1_000_000

_ORIGIN = re.compile(r"\[ONNX Layer: ([^\]\x1e\x1f]+)\]")
"""What an engine with detailed verbosity says of the nodes that a layer was made from."""


def layer_profiler() -> Any:
    """Return a profiler that adds what a layer took to the last dictionary of its ``calls``."""
    import tensorrt

    class LayerProfiler(tensorrt.IProfiler):  # type: ignore[misc] # tensorrt has no types
        def __init__(self) -> None:
            tensorrt.IProfiler.__init__(self)
            self.calls: list[dict[str, int]] = []

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            call = self.calls[-1]
            call[layer_name] = call.get(layer_name, 0) + round(ms * NS_PER_MS)

    return LayerProfiler()


def ran_layers(information: str) -> list[RanLayer]:
    """Return the layers in an inspector's JSON."""
    return [
        RanLayer(
            str(layer.get("Name", "")),
            str(layer.get("ParameterType") or layer.get("LayerType", "")),
            PLACE,
            "" if moves_only(layer) else precision_of(layer).replace("integer", ""),
            _origins(layer),
        )
        for layer in layers_in(information)
    ]


def layer_times(calls: Sequence[Mapping[str, int]], layers: Sequence[RanLayer]) -> LayerTimes:
    """Return the durations of each layer in the calls that the profiler was told of."""
    known = {layer.name: layer for layer in layers}
    names = dict.fromkeys(name for call in calls for name in call)
    return LayerTimes(
        BY,
        tuple(
            LayerTime(
                name,
                known[name].operator if name in known else "",
                tuple(call.get(name, 0) for call in calls),
                PLACE,
                known[name].precision if name in known else "",
                known[name].covers if name in known else (),
            )
            for name in names
        ),
    )


def _origins(layer: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the nodes of a layer: from its metadata, or else from its name."""
    found = _ORIGIN.findall(str(layer.get("Metadata", "")))
    return tuple(found or str(layer.get("Name", "")).split(" + "))
