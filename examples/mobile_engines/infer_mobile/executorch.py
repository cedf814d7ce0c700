"""ExecuTorch on a CPU: a module, lowered to XNNPACK and ExecuTorch's own kernels."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import contextmanager
from functools import partial
from importlib import resources
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pytest_infer import BuildError, Evidence, GraphRequest, LoadError, Missing, module_from_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_infer import (
        Array,
        Arrays,
        BuildRequest,
        BuiltEngine,
        Engine,
        EngineOption,
        Graph,
        Precision,
    )

FILE = "program.pte"
METHOD = "forward"
DELEGATE = "XnnpackBackend"

PRECISIONS = {"fp32": "fp32", "float": "fp32", "fp16": "fp16", "half": "fp16", "bf16": "bf16"}
"""The precision of each floating type, by XNNPACK's name and by that of ExecuTorch's ScalarType."""


class ExecuTorch:
    """Lowers the exported module to XNNPACK as far as that goes, and saves one program."""

    name = "executorch"
    libraries = ("executorch", "torch")
    builds_files = True
    precisions: Mapping[str, tuple[Precision, ...]] = {"cpu": ("fp32",)}
    options: Mapping[str, EngineOption] = {}

    def missing(self, device: str) -> Missing | None:
        """Return why ExecuTorch cannot run here."""
        if find_spec("executorch") is None:
            return Missing("executorch is not installed", "pip install executorch")
        if device != "cpu":
            return Missing(f"this adapter runs on a CPU, not on {device}", "--infer-device=cpu")
        return None

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return the model's module."""
        del request
        return GraphRequest("module")

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Export, lower and save a program of the case's shapes."""
        import torch

        module = module_from_graph(graph)
        inputs = tuple(
            torch.zeros(tuple(request.shapes[name]), dtype=getattr(torch, spec.dtype))
            for name, spec in graph.spec.inputs.items()
        )
        try:
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import (
                XnnpackPartitioner,
            )
            from executorch.exir import to_edge_transform_and_lower

            exported = torch.export.export(module, inputs)
            lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
            (folder / FILE).write_bytes(lowered.to_executorch().buffer)
        except Exception as error:
            raise BuildError(
                f"cannot build {graph.spec.name} for executorch",
                why=f"{type(error).__name__}: {error}",
                mend="see which operator it names, or leave executorch out",
            ) from error
        return {}

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[ExecuTorchRunner]:
        """Load the program's method."""
        path = built.path(FILE)
        try:
            from executorch.runtime import Runtime

            method = Runtime.get().load_program(path).load_method(METHOD)
        except Exception as error:
            raise LoadError(
                f"cannot load {path}",
                why=f"{type(error).__name__}: {error}",
                mend="see which operator or backend ExecuTorch lacks, or leave executorch out",
            ) from error
        yield ExecuTorchRunner(method, built)


class ExecuTorchRunner:
    """A method, called with named arrays."""

    def __init__(self, method: Any, built: BuiltEngine) -> None:
        self._method = method
        self._spec = built.graph.spec
        self._path = built.path(FILE)

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        """Return the named outputs, which ExecuTorch copies out of its own memory."""
        return self.bound_outputs(self.bind(feeds))

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return a synchronous call on feeds in contiguous tensors."""
        import torch

        inputs = [torch.tensor(feeds[name]).contiguous() for name in self._spec.inputs]
        return partial(self._method.execute, inputs)

    def bound_outputs(self, call: Callable[[], object]) -> dict[str, Array]:
        """Return the named outputs of a bound call."""
        values: Any = call()
        if values is None:
            return {}
        return {name: value.numpy() for name, value in zip(self._spec.outputs, values, strict=True)}

    def evidence(self) -> Evidence:
        """Return the types of the program's tensors, and how many operators XNNPACK has taken."""
        data = self._path.read_bytes()
        plan = _plan(data)
        delegated = list(_xnnpack_graphs(data))
        kernels = Counter(_kernels(plan))
        types = Counter([*_plan_types(plan), *(t for g in delegated for t in _xnnpack_types(g))])
        nodes = sum(len(graph["xnodes"]) for graph in delegated)
        (precision, most), *_ = types.most_common(1) or [("no fractions", 0)]
        return Evidence(
            precision=precision,
            precision_share=most / (sum(types.values()) or 1),
            device="cpu",
            details={
                "delegated_share": nodes / (nodes + sum(kernels.values()) or 1),
                "delegated": nodes,
                "kernels": dict(kernels),
            },
        )


def _plan(data: bytes) -> Any:
    """Return the method of a saved program: its values and instructions."""
    from executorch.exir._serialize import _deserialize_pte_binary

    plans = _deserialize_pte_binary(data).program.execution_plan
    return next(plan for plan in plans if plan.name == METHOD)


def _kernels(plan: Any) -> Iterator[str]:
    """Yield the operator of each instruction that no backend has taken."""
    calls = (each.instr_args for chain in plan.chains for each in chain.instructions)
    return (plan.operators[call.op_index].name for call in calls if hasattr(call, "op_index"))


def _plan_types(plan: Any) -> Iterator[str]:
    """Yield the precision of each floating tensor outside of backends."""
    kinds = (value.val.scalar_type for value in plan.values if hasattr(value.val, "scalar_type"))
    return (PRECISIONS[kind.name.lower()] for kind in kinds if kind.name.lower() in PRECISIONS)


def _xnnpack_graphs(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield each graph that the program hands to XNNPACK, as ``flatc`` shows it."""
    from executorch.backends.xnnpack import serialization
    from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader
    from executorch.exir._serialize._flatbuffer import _flatc_decompile
    from executorch.exir._serialize._program import _extract_delegate_payload

    schema = resources.files(serialization).joinpath("schema.fbs").read_bytes()
    for index in count():
        payload = _extract_delegate_payload(data, DELEGATE, index)
        if payload is None:
            return
        header = XNNHeader.from_bytes(payload[: XNNHeader.EXPECTED_LENGTH])
        end = header.flatbuffer_offset + header.flatbuffer_size
        with TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "graph.fbs").write_bytes(schema)
            (folder / "graph.bin").write_bytes(payload[header.flatbuffer_offset : end])
            _flatc_decompile(name, str(folder / "graph.fbs"), str(folder / "graph.bin"))
            # flatc writes a bound of no activation as inf, which JSON does not know.
            text = re.sub(r"(?<=: )(-?)inf\b", r"\1Infinity", (folder / "graph.json").read_text())
            yield json.loads(text)


def _xnnpack_types(graph: Mapping[str, Any]) -> Iterator[str]:
    """Yield the precision of each floating value of a graph of XNNPACK's."""
    for value in graph["xvalues"]:
        tensor = value["xvalue_union"]
        kind = tensor.get("tensor_value", tensor)["datatype"].removeprefix("xnn_datatype_")
        if kind in PRECISIONS:
            yield PRECISIONS[kind]


ENGINE: Engine = ExecuTorch()
