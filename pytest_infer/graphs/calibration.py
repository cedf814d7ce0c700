"""The rows that lie beside a graph, for an engine whose own library finds the scales of int8."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.arrays import read_arrays
from pytest_infer.graphs.quantization import calls_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.arrays import Arrays
    from pytest_infer.graphs.graph import Graph


def calibration_calls(graph: Graph, batch: int) -> Iterator[Arrays]:
    """Yield the inputs of one call after the other, every row once where batches fit."""
    rowed = [name for name, tensor in graph.spec.inputs.items() if tensor.has_rows]
    return calls_of(read_arrays(Path(graph.file).parent), batch, rowed)
