"""ONNX Runtime on the CPU provider."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_infer.engine import Evidence, GraphRequest, Missing
from pytest_infer.errors import BuildError, LoadError
from pytest_infer.onnx_precision import graph_precisions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_infer.engine import (
        Array,
        Arrays,
        BuildRequest,
        BuiltEngine,
        Engine,
        Graph,
    )
    from pytest_infer.engine_option import EngineOption
    from pytest_infer.spec import Precision

FILE = "optimized.onnx"
PROVIDER = "CPUExecutionProvider"


class OnnxRuntime:
    """Runs an ONNX graph that ONNX Runtime has optimized for this machine beforehand."""

    name = "ort"
    libraries = ("onnxruntime", "onnxruntime-gpu")
    builds_files = True
    options: Mapping[str, EngineOption] = {}
    precisions: Mapping[str, tuple[Precision, ...]] = {"cpu": ("fp32", "int8")}

    def missing(self, device: str) -> Missing | None:
        """Return why ONNX Runtime cannot run here."""
        if find_spec("onnxruntime") is None:
            return Missing("onnxruntime is not installed", "pip install 'pytest-infer[cpu]'")
        if device.startswith("cuda"):
            return Missing("this adapter drives ONNX Runtime on the CPU only", "--infer-device=cpu")
        return None

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return an ONNX file with the model's dynamic dimensions; for int8 a quantized one."""
        return GraphRequest("onnx", precision="int8" if request.precision == "int8" else "fp32")

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Optimize the graph at ONNX Runtime's highest level and save it."""
        del request
        import onnxruntime

        options = _options()
        options.optimized_model_filepath = str(folder / FILE)
        try:
            onnxruntime.InferenceSession(graph.file, options, providers=[PROVIDER])
        except Exception as error:
            raise BuildError(
                f"cannot build {graph.spec.name} for ort",
                why=str(error),
                mend="see whether onnx.checker accepts the graph and this onnxruntime its opset",
            ) from error
        return {"opset": graph.request.opset}

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[OrtRunner]:
        """Load the optimized graph into a session with the CPU provider."""
        import onnxruntime

        options = _options()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            session = onnxruntime.InferenceSession(
                str(built.path(FILE)), options, providers=[PROVIDER]
            )
        except Exception as error:
            raise LoadError(
                f"cannot load {built.path(FILE)}",
                why=str(error),
                mend="remove the folder, and it is built again",
            ) from error
        yield OrtRunner(session, built.path(FILE))


class OrtRunner:
    """A session, called with named arrays."""

    def __init__(self, session: Any, graph: Path) -> None:
        self._session = session
        self._graph = graph
        self._outputs = [output.name for output in session.get_outputs()]

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        """Return the named outputs."""
        values = self._session.run(self._outputs, dict(feeds))
        return dict(zip(self._outputs, values, strict=True))

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return a synchronous call on the feeds, which stay where they are."""
        return partial(self._session.run, self._outputs, dict(feeds))

    def evidence(self) -> Evidence:
        """Return the session's providers, and the precisions of the optimized graph's nodes."""
        counts = graph_precisions(self._graph)
        providers = self._session.get_providers()
        return Evidence(
            precision=counts.precision,
            device="cpu" if providers == [PROVIDER] else ", ".join(providers),
            precision_share=counts.share(counts.precision),
            details={"providers": providers, "nodes": counts.as_dict()},
        )


def _options() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Spinning threads slow down whatever runs next on the same cores.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


ENGINE: Engine = OnnxRuntime()
