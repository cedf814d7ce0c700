"""Quantization by NNCF, which OpenVINO recommends: it inserts FakeQuantize nodes into its graph."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.setting import EngineOption
from pytest_infer.errors import BuildError
from pytest_infer.graphs.calibration import calibration_calls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.engines.protocol import BuildRequest
    from pytest_infer.graphs.graph import Graph

NAME = "quantizer"
QDQ, NNCF = "qdq", "nncf"

OPTION = EngineOption(
    default=QDQ,
    help="in int8: who finds the scales. qdq: ONNX Runtime's tools, as Q/DQ nodes in the ONNX "
    "file; nncf: NNCF, in OpenVINO's own graph",
    choices=(QDQ, NNCF),
)

SILENT = "NNCF_CI"
"""With this in the environment NNCF reports nothing to a server."""


def has_nncf(request: BuildRequest) -> bool:
    """Return whether NNCF is to quantize."""
    return request.precision == "int8" and request.options.get(NAME, QDQ) == NNCF


def quantized(model: Any, graph: Graph, request: BuildRequest, ports: Mapping[str, Any]) -> Any:
    """Return ``model`` quantized with the rows beside the graph; raise `BuildError` without NNCF.

    ``ports`` are its inputs by the spec's names. Every row is used, at the case's batch.
    """
    if find_spec("nncf") is None:
        raise BuildError(
            f"cannot quantize {graph.spec.name} for openvino by NNCF",
            why="nncf is not installed where openvino is",
            mend=f"pip install nncf, or leave out --infer-option=openvino.{NAME}={NNCF}",
        )
    os.environ[SILENT] = "1"
    import nncf

    batch = next(iter(request.shapes.values()))[0]
    calls = list(calibration_calls(graph, batch))
    dataset = nncf.Dataset(
        calls,
        lambda feeds: {ports[name].get_any_name(): value for name, value in feeds.items()},
    )
    return nncf.quantize(model, dataset, subset_size=len(calls))
