"""Run a session of ONNX Runtime on the CPU, and prove what it runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.engines.adapters.ort.layers import ran_layers
from pytest_infer.engines.adapters.ort.session import CPU, device_of, operators_of, placement
from pytest_infer.engines.protocol import Evidence
from pytest_infer.graphs.onnx_precision import graph_precisions, operator_precisions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.graphs.node_precisions import NodePrecisions
    from pytest_infer.graphs.ran_layer import RanLayer

FLOATS = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}
"""The numpy type of each floating one of ONNX Runtime's."""

FLOATING = {"tensor(float)": "fp32", "tensor(float16)": "fp16", "tensor(double)": "fp64"}


class CpuRunner:
    """A session on the CPU, called with named arrays."""

    def __init__(self, session: Any, graph: Path) -> None:
        self._session = session
        self._graph = graph
        self._inputs = {value.name: FLOATS.get(value.type) for value in session.get_inputs()}
        self._outputs = [output.name for output in session.get_outputs()]

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        """Return the named outputs."""
        values = self._session.run(self._outputs, self._taken(feeds))
        return dict(zip(self._outputs, values, strict=True))

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return a synchronous call on the feeds, which stay where they are."""
        return partial(self._session.run, self._outputs, self._taken(feeds))

    def _taken(self, feeds: Arrays) -> dict[str, Array]:
        """Return feeds whose fractions have the graph's type, which is that of its precision."""
        return {
            name: np.asarray(feed, self._inputs.get(name) if feed.dtype.kind == "f" else None)
            for name, feed in feeds.items()
        }

    def bound_outputs(self, call: Callable[[], object]) -> dict[str, Array]:
        """Return the named outputs of a bound call."""
        values: Any = call()
        return {} if values is None else dict(zip(self._outputs, values, strict=True))

    def evidence(self) -> Evidence:
        """Return the nodes' precisions in the optimized graph, their places, and the threads."""
        counts = self._precisions()
        placed = placement(self._session)
        threads = self._session.get_session_options()
        return Evidence(
            precision=counts.precision,
            precision_share=counts.share(counts.precision),
            device=device_of(self._session),
            device_share=placed.get(CPU, 0) / sum(placed.values()),
            proven={
                "intra_op_threads": threads.intra_op_num_threads,
                "inter_op_threads": threads.inter_op_num_threads,
            },
            details={
                "nodes": counts.as_dict(),
                **{f"nodes on {name}": count for name, count in placed.items()},
            },
        )

    def layers(self) -> Sequence[RanLayer]:
        """Return the session's nodes."""
        types = {value.type for value in self._session.get_inputs()} & FLOATING.keys()
        return ran_layers(self._session, self._graph, FLOATING[types.pop()] if types else "fp32")

    def _precisions(self) -> NodePrecisions:
        """Count the session's nodes by precision; an older ONNX Runtime's are read from the file.

        The session reports operators without types: those of fractions come from its inputs.
        """
        operators = operators_of(self._session)
        types = {value.type for value in self._session.get_inputs() if "float" in value.type}
        if operators and len(types) == 1:
            return operator_precisions(operators, FLOATING.get(types.pop(), "unknown"))
        return graph_precisions(self._graph)
