"""An ONNX file, computed node by node in one precision: what engines built from it are judged by.

The nodes are computed by onnx's own reference code in numpy, some by this package's operators. It
shares no code with ONNX Runtime, OpenVINO, TVM or TensorRT, except that torch's convolutions in
fp32 and OpenVINO's both rest on oneDNN; in fp64 they do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.errors import InferError, RunError
from pytest_infer.models.onnx_file.floats import retype
from pytest_infer.models.onnx_file.known_operators import told
from pytest_infer.models.onnx_file.operators import own_operators
from pytest_infer.models.onnx_file.rounding import Rounding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import Precision

ML_DOMAIN = "ai.onnx.ml"
"""The operators of classical learners, some of which put out fp32 whatever they are given."""

OF_FP32 = ("Constant", "TfIdfVectorizer")
"""Operators whose values are fp32's by their definition: weights, or sums of a few of them."""

INSIDE = ("LinearAttention", "CausalConvWithState")
"""Operators that onnx's code computes in fp32 and returns in the type of their inputs."""


class OnnxEvaluator:
    """Computes the named outputs of a file; raise `RunError` that names the node that cannot."""

    def __init__(self, path: Path, precision: Precision) -> None:
        import onnx

        self._rounding = Rounding(precision)
        model = onnx.load(path, load_external_data=False)
        del model.graph.value_info[:]  # the types in it are those of before
        own = {"rounding": self._rounding, "folder": path.parent}
        self._outputs = [value.name for value in model.graph.output]
        self._evaluator = type("Evaluator", (_evaluator_class(),), own)(model)

    def __call__(self, feeds: Arrays) -> dict[str, Array]:
        """Return the named outputs, fractions as the precision keeps them."""
        given = {name: self._rounding.stored(value) for name, value in feeds.items()}
        with np.errstate(all="ignore"):  # what overflows is seen in the outputs
            values = self._evaluator.run(self._outputs, given)
        return dict(zip(self._outputs, values, strict=True))


def _evaluator_class() -> type:
    """Return onnx's evaluator with operators, types and errors of this package's own.

    It keeps no tensor longer than a node wants it: all of a detector's would not fit into memory.
    """
    from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data
    from onnx.numpy_helper import to_array
    from onnx.reference import ReferenceEvaluator

    class Evaluator(ReferenceEvaluator):  # type: ignore[misc]  # onnx's classes are Any
        rounding: Rounding
        folder: Path
        rt_inits_: dict[str, Any]

        def __init__(self, proto: Any, **given: Any) -> None:
            if self.rounding.onnx_type:
                proto = _retyped(proto, self.rounding.onnx_type)
            super().__init__(proto, **{**given, "new_ops": list(own_operators())})
            self.spent_ = _spent(self.rt_nodes_, self.output_names)

        def retrieve_external_data(self, initializer: Any) -> Array:
            """Return a weight that lies beside the file, and forget its bytes."""
            tensor = type(initializer)()
            tensor.CopyFrom(initializer)
            if uses_external_data(tensor):
                load_external_data_for_tensor(tensor, str(self.folder))
            return np.asarray(to_array(tensor))

        def _init(self) -> None:
            super()._init()
            weights: dict[str, Any] = self.rt_inits_
            self.rt_inits_ = {name: self.rounding.stored(each) for name, each in weights.items()}

        def run(
            self,
            output_names: Sequence[str] | None,
            feed_inputs: Mapping[str, Any],
            attributes: Mapping[str, Any] | None = None,
            **_: Any,
        ) -> list[Any]:
            results = {"": None, **self.rt_inits_, **feed_inputs}
            for node, spent in zip(self.rt_nodes_, self.spent_, strict=True):
                outputs = _computed(node, results, attributes, self.rounding, self.rt_inits_)
                results.update(zip(node.output, outputs, strict=False))
                for name in spent:
                    results.pop(name, None)
            return [results[name] for name in output_names or self.output_names]

    return Evaluator


def _retyped(proto: Any, target: str) -> Any:
    """Return a model, graph or function whose nodes compute in ``target``; a schema's is copied."""
    if hasattr(proto, "opset_import") and hasattr(proto, "graph"):
        retype(proto.graph, target)
        return proto
    copy = type(proto)()
    copy.CopyFrom(proto)
    retype(copy, target)
    return copy


def _computed(
    node: Any,
    results: Mapping[str, Any],
    attributes: Mapping[str, Any] | None,
    rounding: Rounding,
    weights: Mapping[str, Any],
) -> list[Any]:
    """Return a node's outputs, rounded as the precision stores them."""
    more: dict[str, Any] = {"context": dict(results)} if node.need_context() else {}
    if node.has_linked_attribute and attributes:
        more["linked_attributes"] = attributes
    try:
        inputs = [results[name] for name in node.input]
        found = node.run(*rounding.taken(node, inputs, weights), **more)
    except InferError:
        raise
    except Exception as error:
        cause = error.__cause__ or error
        raise RunError(
            f"the reference cannot compute {told(node.onnx_node)} in {rounding.precision}",
            why=f"{type(cause).__name__}: {cause}",
            mend="see whether onnx.checker accepts the file and the feeds are in the ranges that "
            "it takes; or cut the node off the file",
        ) from error
    return [_kept(value, node, rounding) for value in found]


def _kept(value: Any, node: Any, rounding: Rounding) -> Any:
    """Return an output as the precision keeps it; refuse one that a lesser type has rounded."""
    origin = node.onnx_node
    is_defined = origin.domain == ML_DOMAIN or origin.op_type in OF_FP32
    is_inside = rounding.precision == "fp64" and origin.op_type in INSIDE
    if is_inside or (rounding.is_lessened(value) and not is_defined):
        kind = "float32" if is_inside else value.dtype
        raise RunError(
            f"the reference cannot compute {told(origin)} in {rounding.precision}",
            why=f"onnx's reference code rounds it to {kind}",
            mend="replace the node by others, or cut it off the file",
        )
    return rounding.stored(value)


def _spent(nodes: Sequence[Any], outputs: Sequence[str]) -> list[list[str]]:
    """Return, for each node, which tensors no later node wants, its subgraphs' included."""
    last: dict[str, int] = {}
    for number, node in enumerate(nodes):
        for name in (*_wanted(node.onnx_node), *node.output):
            last[name] = number
    spent: list[list[str]] = [[] for _ in nodes]
    for name, number in last.items():
        if name and name not in outputs:
            spent[number].append(name)
    return spent


def _wanted(node: Any) -> list[str]:
    """Return the names that a node and the nodes of its subgraphs take, and subgraphs put out."""
    names = list(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            names += [value.name for value in graph.output]
            for each in graph.node:
                names += _wanted(each)
    return names
