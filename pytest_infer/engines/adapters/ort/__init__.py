"""ONNX Runtime with its CPU, CUDA and TensorRT providers."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from importlib.metadata import distributions
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_infer.devices.cpu_products import weight_bits
from pytest_infer.devices.device import Device
from pytest_infer.devices.stream import stream_on
from pytest_infer.engines.adapters.ort.cpu_runner import CpuRunner
from pytest_infer.engines.adapters.ort.cuda_runner import CudaRunner
from pytest_infer.engines.adapters.ort.profile import profiled
from pytest_infer.engines.adapters.ort.session import (
    CPU,
    FILE,
    MEND_CUDA,
    new_session,
    placement,
    providers_for,
    session_options,
)
from pytest_infer.engines.missing import missing_gpu
from pytest_infer.engines.protocol import Missing
from pytest_infer.engines.setting import MORE_THREADS, MOST_THREADS, EngineOption
from pytest_infer.errors import BuildError, InferError, LoadError, load_mend
from pytest_infer.graphs.graph import GraphRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import OptionValue, Precision
    from pytest_infer.engines.protocol import (
        BuildRequest,
        BuiltEngine,
        Engine,
        LayerTimes,
        Runner,
    )
    from pytest_infer.graphs.graph import Graph

WEIGHTS = "optimized.bin"
"""Where the weights go, if the graph had its own beside it."""


class OnnxRuntime:
    """Runs an ONNX graph that ONNX Runtime has optimized for this machine beforehand.

    With the TensorRT provider the graph stays as it is, and TensorRT's engines lie beside it.
    """

    name = "ort"
    libraries = ("onnxruntime", "onnxruntime-gpu")
    modules = ("onnxruntime",)
    builds_files = True
    precisions: Mapping[str, tuple[Precision, ...]] = {
        "cpu": ("fp32", "int8"),
        "cuda": ("fp32", "tf32", "fp16"),
    }
    options: Mapping[str, EngineOption] = {
        "provider": EngineOption(
            "auto",
            "who runs on a GPU; auto: CUDA",
            choices=("auto", "cuda", "tensorrt"),
            gpu_only=True,
        ),
        "optimization_level": EngineOption(
            "all", "how far the graph is rewritten", choices=("all", "extended", "basic", "none")
        ),
        "intra_op_threads": EngineOption(
            0,
            "threads of one operator on the CPU; 0: all cores",
            affects_build=False,
            counts_threads=True,
            most=MOST_THREADS,
            because=MORE_THREADS,
        ),
        "inter_op_threads": EngineOption(
            0,
            "operators at a time on the CPU; 0: one",
            affects_build=False,
            most=MOST_THREADS,
            because=MORE_THREADS,
        ),
        "cuda_graph": EngineOption(False, "capture a CUDA graph and replay it", gpu_only=True),
        "cudnn_search": EngineOption(
            "exhaustive",
            "how cuDNN's convolutions are chosen",
            choices=("exhaustive", "heuristic", "default"),
            gpu_only=True,
        ),
    }

    def missing(self, device: str) -> Missing | None:
        """Return why ONNX Runtime cannot run here."""
        if find_spec("onnxruntime") is None:
            extra = "gpu" if Device.named(device).is_gpu else "cpu"
            return Missing("onnxruntime is not installed", f"pip install 'pytest-infer[{extra}]'")
        return missing_gpu() or _missing_cuda() if Device.named(device).is_gpu else None

    def profile_options(
        self, options: Mapping[str, OptionValue]
    ) -> Mapping[str, OptionValue] | Missing:
        """Return the settings as they are: an exported graph keeps its dynamic dimensions."""
        if options["provider"] == "tensorrt":
            return Missing("its TensorRT provider builds for one shape", "leave ort.provider out")
        if options["cuda_graph"]:
            return Missing("a CUDA graph has one shape", f"leave {self.name}.cuda_graph out")
        return options

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return an ONNX file in the precision; TensorRT's provider wants fixed shapes.

        A CUDA graph has one shape anyway, and cannot hold what would compute shapes on the CPU.
        """
        options = request.options
        return GraphRequest(
            "onnx",
            precision="fp32" if request.precision == "tf32" else request.precision,
            is_static=options["provider"] == "tensorrt" or bool(options["cuda_graph"]),
            weight_bits=weight_bits() if request.precision == "int8" else 8,
        )

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Optimize the graph and save it, or let the TensorRT provider build its engines."""
        what = f"cannot build {graph.spec.name} for ort in {request.precision}"
        _refuse_tf32(request, what)
        level = str(request.options["optimization_level"])
        options = session_options(request, level=level)
        file = str(graph.file)
        if request.options["provider"] == "tensorrt":
            file = shutil.copy(graph.file, str(folder / FILE))
        else:
            options.optimized_model_filepath = str(folder / FILE)
            if graph.beside:  # one message holds 2 GiB at most
                options.add_session_config_entry(
                    "session.optimized_model_external_initializers_file_name", WEIGHTS
                )
        try:
            session = new_session(file, options, providers_for(request, folder))
            _refuse_split_capture(session, request)
        except InferError as error:
            raise BuildError(what, why=error.why, mend=error.mend) from error
        except Exception as error:
            raise BuildError(
                what,
                why=str(error),
                mend="see whether onnx.checker accepts the graph and this onnxruntime its opset",
            ) from error
        return {"opset": graph.request.opset}

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[Runner]:
        """Load the optimized graph into a session with the provider that was asked for."""
        stream = _stream(built.request.device)
        providers = providers_for(
            built.request, built.path(""), stream.cuda_stream if stream else 0
        )
        is_optimized = built.request.options["provider"] != "tensorrt"
        level = "none" if is_optimized else str(built.request.options["optimization_level"])
        options = session_options(built.request, level=level)
        try:
            session = new_session(built.path(FILE), options, providers)
        except InferError:
            raise
        except Exception as error:
            raise LoadError(
                f"cannot load {built.path(FILE)}",
                why=str(error),
                mend=load_mend(
                    "see which operator, type or library ONNX Runtime names; change it in the "
                    "model, or leave ort out"
                ),
            ) from error
        if stream is None:
            yield CpuRunner(session, built.path(FILE))
            return
        runner = CudaRunner(session, built, stream)
        del session  # closing the runner must free it
        try:
            yield runner
        finally:
            runner.close()

    def profile(
        self, built: BuiltEngine, feeds: Arrays, *, warmup: int, calls: int
    ) -> LayerTimes | Missing:
        """Return the times of the nodes on the CPU, in a session that writes its profile."""
        if Device.named(built.request.device).is_gpu:
            return Missing(
                "ONNX Runtime's profile has launches of kernels on a GPU, not what they take",
                "profile on the CPU, or use Nsight Systems",
            )
        return profiled(
            built,
            lambda session: CpuRunner(session, built.path(FILE)).bind(feeds),
            warmup=warmup,
            calls=calls,
        )


def _refuse_tf32(request: BuildRequest, what: str) -> None:
    if request.options["provider"] == "tensorrt" and request.precision == "fp32":
        raise BuildError(
            what,
            why="its TensorRT provider has no switch for TF32, which TensorRT allows by default",
            mend="ask for --infer-precision=tf32, or use the engine trt",
        )


def _refuse_split_capture(session: Any, request: BuildRequest) -> None:
    """Raise `LoadError` if a CUDA graph were captured and some node ran on the CPU.

    ONNX Runtime lets nodes that compute shapes stay there, and a replay does not run them.
    """
    if not request.options["cuda_graph"] or request.options["provider"] == "tensorrt":
        return
    on_cpu = placement(session).get(CPU, 0)
    if on_cpu:
        raise LoadError(
            "cannot capture a CUDA graph",
            why=f"{on_cpu} nodes run on the CPU",
            mend="leave out ort.cuda_graph, or change the model until no shape is computed in it",
        )


def _stream(device: str) -> Any:
    """Return the CUDA stream for a session to compute on; None on the CPU."""
    if not Device.named(device).is_gpu:
        return None
    import torch

    index = Device.named(device).index
    torch.cuda.set_device(index)
    return stream_on(index)


def _missing_cuda() -> Missing | None:
    """Return why the installed ONNX Runtime cannot use a GPU."""
    owners = _owners()
    if len(owners) > 1:
        return Missing(
            "onnxruntime and onnxruntime-gpu are both installed; they own the same files, and "
            "what was installed last has won",
            "pip uninstall onnxruntime onnxruntime-gpu, then pip install 'pytest-infer[gpu]'",
        )
    if owners == ["onnxruntime"]:
        return Missing("this onnxruntime has no CUDA provider and would run on the CPU", MEND_CUDA)
    if find_spec("torch") is None:
        return Missing("torch, whose memory and events time a GPU, is not installed", MEND_CUDA)
    return None


def _owners() -> list[str]:
    """Return the distributions to which the module belongs that would be imported."""
    spec = find_spec("onnxruntime")
    return [
        found.name
        for found in distributions()
        if found.name in OnnxRuntime.libraries
        and spec is not None
        and str(found.locate_file("onnxruntime/__init__.py")) == spec.origin
    ]


ENGINE: Engine = OnnxRuntime()
