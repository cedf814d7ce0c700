"""MNN on a CPU: an ONNX file, converted and run."""

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
    RunError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_infer import Array, Arrays, BuildRequest, BuiltEngine, Engine, Graph, Precision

FILE = "model.mnn"

TYPES = {"Float": "float32", "Int": "int32", "Int64": "int64", "Uint8": "uint8"}
"""numpy's name of each type that MNN has a name for."""

WINOGRAD = 3
"""The session hint WINOGRAD_MEMORY_LEVEL."""

BACKENDS = 2
"""What `getSessionInfo` is asked for the backend in use."""

CPU_BACKENDS = {0: "plain C++", 13: "SIMD"}
"""The CPU's numbers in MNNForwardType: MNN_FORWARD_CPU and MNN_FORWARD_CPU_EXTENSION."""


class Mnn:
    """Converts the model's ONNX file, and runs it in a session of the case's shapes."""

    name = "mnn"
    libraries = ("MNN",)
    builds_files = True
    precisions: Mapping[str, tuple[Precision, ...]] = {"cpu": ("fp32",)}
    options: Mapping[str, EngineOption] = {
        "threads": EngineOption(
            0, "threads of one inference; 0: all cores", affects_build=False, counts_threads=True
        ),
        "winograd": EngineOption(
            2,
            "how large Winograd's tiles may be; 3, MNN's own choice, rounds far more coarsely",
            affects_build=False,
            most=3,
            because="MNN knows no other",
        ),
    }

    def missing(self, device: str) -> Missing | None:
        """Return why MNN cannot run here."""
        if find_spec("MNN") is None:
            return Missing("MNN is not installed", "pip install MNN")
        if device != "cpu":
            return Missing(f"this adapter runs on a CPU, not on {device}", "--infer-device=cpu")
        return None

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return an ONNX file of the case's shapes."""
        del request
        return GraphRequest("onnx", is_static=True)

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Convert the ONNX file by the function that the command ``mnnconvert`` calls.

        That command's own module installs a package, and reports each conversion to a server.
        """
        del request
        import _tools

        files = ("--modelFile", str(graph.file), "--MNNModel", str(folder / FILE))
        done = _tools.mnnconvert(["mnnconvert", "-f", "ONNX", *files, "--bizCode", "pytest-infer"])
        if not (done and (folder / FILE).is_file()):
            raise BuildError(
                f"cannot build {graph.spec.name} for mnn",
                why="MNN's converter failed, and says why in the host's output only",
                mend="see which operator it names, or leave mnn out",
            )
        return {"opset": graph.request.opset}

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[MnnRunner]:
        """Open a session of the case's shapes."""
        path = built.path(FILE)
        threads = built.request.options["threads"] or len(sched_getaffinity(0))
        try:
            import MNN

            interpreter = MNN.Interpreter(str(path))
            interpreter.setSessionHint(WINOGRAD, built.request.options["winograd"])
            # High is fp32; less lets MNN round to bf16 or fp16 where the CPU has them.
            settings = {"backend": "CPU", "precision": "high", "numThread": threads}
            runner = MnnRunner(interpreter, interpreter.createSession(settings), built)
        except Exception as error:
            raise LoadError(
                f"cannot load {path}",
                why=f"{type(error).__name__}: {error}",
                mend="see which operator MNN names, or leave mnn out",
            ) from error
        yield runner


class MnnRunner:
    """A session, called with named arrays."""

    def __init__(self, interpreter: Any, session: Any, built: BuiltEngine) -> None:
        self._interpreter, self._session = interpreter, session
        self._spec, self._shapes = built.graph.spec, built.request.shapes
        for name, shape in self._shapes.items():
            interpreter.resizeTensor(interpreter.getSessionInput(session, name), tuple(shape))
        interpreter.resizeSession(session)

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        """Return copies of the named outputs."""
        self.bind(feeds)()
        return self._written()

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return a synchronous call, which copies the feeds into the session first.

        They do not stay there: MNN uses their memory for what comes later in the graph.
        """
        inputs = {name: self._interpreter.getSessionInput(self._session, name) for name in feeds}
        tensors = [(inputs[name], _taken(inputs[name], name, feeds[name])) for name in feeds]

        def call() -> None:
            for tensor, host in tensors:
                tensor.copyFrom(host)
            self._run(self._interpreter.runSession)

        return call

    def bound_outputs(self, call: Callable[[], object]) -> dict[str, Array]:
        """Return what a bound call writes into the session's memory."""
        for name in self._spec.outputs:
            output = self._output(name)
            dtype = TYPES[_type_of(output)]
            spoilt = np.full(output.getShape(), np.nan if dtype == "float32" else 1)
            output.copyFrom(_host_tensor(spoilt.astype(dtype)))
        call()
        return self._written()

    def evidence(self) -> Evidence:
        """Return the session's backend, and the types of what its operators put out."""
        operators: Counter[str] = Counter()
        types: Counter[str] = Counter()

        def note(tensors: Any, operator: Any) -> bool:
            operators[operator.getType()] += 1
            types.update(_type_of(tensor) for tensor in tensors)
            return True

        inputs = self._spec.inputs.items()
        self.infer({name: np.zeros(self._shapes[name], spec.dtype) for name, spec in inputs})
        self._run(self._interpreter.runSessionWithCallBackInfo, lambda *_: True, note)
        backend = int(self._interpreter.getSessionInfo(self._session, BACKENDS))
        fractions = types["Float"] / sum(types.values())
        return Evidence(
            precision="fp32" if fractions else ", ".join(types),
            precision_share=fractions or 1.0,
            device="cpu" if backend in CPU_BACKENDS else f"MNN's backend {backend}",
            details={"operators": dict(operators), "kernels": CPU_BACKENDS.get(backend, "")},
        )

    def _run(self, run: Callable[..., int], *notes: Callable[..., bool]) -> None:
        if code := run(self._session, *notes):
            raise RunError(
                f"mnn cannot run {self._spec.name}",
                why=f"MNN returns the error code {code}",
                mend="look it up in MNN's ErrorCode.hpp, or leave mnn out",
            )

    def _output(self, name: str) -> Any:
        return self._interpreter.getSessionOutput(self._session, name)

    def _written(self) -> dict[str, Array]:
        """Return copies of the outputs; copying undoes the blocks in which a session keeps them."""
        outputs = {}
        for name, spec in self._spec.outputs.items():
            output = self._output(name)
            host = _host_tensor(np.zeros(output.getShape(), TYPES[_type_of(output)]))
            output.copyToHostTensor(host)
            outputs[name] = np.array(host.getNumpyData(), spec.dtype)
        return outputs


def _type_of(tensor: Any) -> str:
    """Return MNN's name of a tensor's type, empty if it has none."""
    import MNN

    found = tensor.getDataType()
    return next((name for name in TYPES if getattr(MNN, f"Halide_Type_{name}") is found), "")


def _host_tensor(values: Array) -> Any:
    import MNN

    (name,) = (name for name, dtype in TYPES.items() if dtype == values.dtype)
    kind = getattr(MNN, f"Halide_Type_{name}")
    ordered = np.ascontiguousarray(values)
    return MNN.Tensor(values.shape, kind, ordered, MNN.Tensor_DimensionType_Caffe)


def _taken(tensor: Any, name: str, feed: Array) -> Any:
    """Return a feed in the session's type; the converter makes int64 inputs int32."""
    values = feed.astype(TYPES[_type_of(tensor)])
    if values.dtype != feed.dtype and (values != feed).any():
        raise RunError(
            f"cannot feed {name}",
            why=f"MNN takes it as {values.dtype}, which does not hold its values",
            mend=f"feed values within {values.dtype}, or leave mnn out",
        )
    return _host_tensor(values)


ENGINE: Engine = Mnn()
