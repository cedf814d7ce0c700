"""LiteRT (once TensorFlow Lite) on a CPU: a module, converted by litert-torch."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from importlib.util import find_spec
from os import sched_getaffinity
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer import (
    BuildError,
    EngineOption,
    Evidence,
    GraphRequest,
    LoadError,
    Missing,
    module_from_graph,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_infer import Array, Arrays, BuildRequest, BuiltEngine, Engine, Graph, Precision

FILE = "model.tflite"

DELEGATE = "DELEGATE"
"""LiteRT's name of the operator that stands for all that a delegate has taken."""

PRECISIONS = {"float32": "fp32", "float16": "fp16", "float64": "fp64"}


class LiteRt:
    """Converts the module to a file of the case's shapes, and runs it with XNNPACK."""

    name = "litert"
    libraries = ("ai-edge-litert", "litert-torch", "litert-converter", "torch")
    builds_files = True
    precisions: Mapping[str, tuple[Precision, ...]] = {"cpu": ("fp32",)}
    options: Mapping[str, EngineOption] = {
        "threads": EngineOption(
            0, "threads of one inference; 0: all cores", affects_build=False, counts_threads=True
        )
    }

    def missing(self, device: str) -> Missing | None:
        """Return why LiteRT cannot run here."""
        for package in ("ai_edge_litert", "litert_torch"):
            if find_spec(package) is None:
                name = package.replace("_", "-")
                return Missing(f"{name} is not installed", f"pip install {name}")
        if device != "cpu":
            return Missing(f"this adapter runs on a CPU, not on {device}", "--infer-device=cpu")
        return None

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return the model's module."""
        del request
        return GraphRequest("module")

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Convert the module and save it."""
        import torch

        module = module_from_graph(graph)
        inputs = tuple(
            torch.zeros(tuple(request.shapes[name]), dtype=getattr(torch, spec.dtype))
            for name, spec in graph.spec.inputs.items()
        )
        try:
            import litert_torch

            litert_torch.convert(module, inputs).export(str(folder / FILE))
        except Exception as error:
            raise BuildError(
                f"cannot build {graph.spec.name} for litert",
                why=f"{type(error).__name__}: {error}",
                mend="see which operator it names, or leave litert out",
            ) from error
        return {}

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[LiteRtRunner]:
        """Load the file into an interpreter."""
        path = built.path(FILE)
        threads = built.request.options["threads"] or len(sched_getaffinity(0))
        try:
            from ai_edge_litert.interpreter import Interpreter

            interpreter = Interpreter(model_path=str(path), num_threads=threads)
            interpreter.allocate_tensors()
        except Exception as error:
            raise LoadError(
                f"cannot load {path}",
                why=f"{type(error).__name__}: {error}",
                mend="see which operator LiteRT names, or leave litert out",
            ) from error
        yield LiteRtRunner(interpreter, built)


class LiteRtRunner:
    """An interpreter, called with named arrays."""

    def __init__(self, interpreter: Any, built: BuiltEngine) -> None:
        self._interpreter = interpreter
        spec = built.graph.spec
        signature = interpreter.get_signature_runner()
        inputs, outputs = signature.get_input_details(), signature.get_output_details()
        # litert-torch numbers a module's inputs and outputs in their order.
        self._inputs = {name: inputs[f"args_{n}"]["index"] for n, name in enumerate(spec.inputs)}
        self._outputs = {
            name: outputs[f"output_{n}"]["index"] for n, name in enumerate(spec.outputs)
        }

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        """Return copies of the named outputs."""
        self.bind(feeds)()
        return self._written()

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return a synchronous call on feeds that are in the interpreter's memory."""
        for name, index in self._inputs.items():
            self._interpreter.set_tensor(index, np.ascontiguousarray(feeds[name]))
        invoke: Callable[[], object] = self._interpreter.invoke
        return invoke

    def bound_outputs(self, call: Callable[[], object]) -> dict[str, Array]:
        """Return what a bound call writes into the interpreter's memory."""
        for index in self._outputs.values():
            values = self._interpreter.tensor(index)()
            values[...] = np.nan if values.dtype.kind == "f" else 1
            del values  # LiteRT does not run while somebody holds its memory
        call()
        return self._written()

    def evidence(self) -> Evidence:
        """Return the types of the tensors, and how many operators XNNPACK has taken."""
        operators = self._interpreter._get_ops_details()  # noqa: SLF001 - no public way
        own = [each for each in operators if each["op_name"] != DELEGATE]
        delegated = _delegated(operators)
        kinds = (each["dtype"].__name__ for each in self._interpreter.get_tensor_details())
        types = Counter(PRECISIONS[kind] for kind in kinds if kind in PRECISIONS)
        (precision, most), *_ = types.most_common(1) or [("no fractions", 0)]
        return Evidence(
            precision=precision,
            precision_share=most / (sum(types.values()) or 1),
            device="cpu",
            details={
                "delegated_share": len(delegated) / (len(own) or 1),
                "kernels": dict(
                    Counter(each["op_name"] for each in own if each["index"] not in delegated)
                ),
            },
        )

    def _written(self) -> dict[str, Array]:
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}


def _delegated(operators: list[dict[str, Any]]) -> set[int]:
    """Return the operators that delegates have taken, those between their inputs and outputs.

    LiteRT keeps them in its list, and does not say which they are.
    """
    makers = {
        int(tensor): each
        for each in operators
        if each["op_name"] != DELEGATE
        for tensor in each["outputs"]
    }
    taken: set[int] = set()
    for delegate in operators:
        if delegate["op_name"] != DELEGATE:
            continue
        given = {int(tensor) for tensor in delegate["inputs"]}
        waiting = [int(tensor) for tensor in delegate["outputs"]]
        while waiting:
            tensor = waiting.pop()
            maker = makers.get(tensor)
            if tensor not in given and maker and maker["index"] not in taken:
                taken.add(maker["index"])
                waiting += [int(each) for each in maker["inputs"]]
    return taken


ENGINE: Engine = LiteRt()
