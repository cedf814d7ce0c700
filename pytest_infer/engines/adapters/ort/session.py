"""ONNX Runtime's sessions: their options, their providers, and where their nodes were placed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.devices.device import Device
from pytest_infer.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_infer.engines.protocol import BuildRequest

CPU, CUDA, TENSORRT = (
    "CPUExecutionProvider",
    "CUDAExecutionProvider",
    "TensorrtExecutionProvider",
)
FILE = "optimized.onnx"
"""The built engine."""

LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "none": "ORT_DISABLE_ALL",
}
"""ONNX Runtime's names of the optimization levels."""

MEND_CUDA = "pip uninstall onnxruntime, then pip install 'pytest-infer[gpu]' for this CUDA version"


def session_options(request: BuildRequest, *, level: str) -> Any:
    """Return options with the request's threads and an optimization level."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, LEVELS[level])
    options.intra_op_num_threads = request.options["intra_op_threads"]
    options.inter_op_num_threads = request.options["inter_op_threads"]
    if options.inter_op_num_threads > 1:
        options.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL
    # Spinning threads slow down whatever runs next on the same cores.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def new_session(file: Path | str, options: Any, providers: list[tuple[str, dict[str, str]]]) -> Any:
    """Return a session; raise `LoadError` if it runs without the first of ``providers``.

    ONNX Runtime itself only warns, and runs on the CPU.
    """
    import onnxruntime

    if providers[0][0] != CPU and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # finds the CUDA libraries that pip has installed
    session = onnxruntime.InferenceSession(str(file), options, providers=providers)
    if providers[0][0] not in session.get_providers():
        raise LoadError(
            f"cannot run {file} with {providers[0][0]}",
            why=f"ONNX Runtime {onnxruntime.__version__} could not load it and runs with "
            f"{', '.join(session.get_providers())}",
            mend=MEND_CUDA,
        )
    return session


def providers_for(
    request: BuildRequest, folder: Path, stream: int = 0
) -> list[tuple[str, dict[str, str]]]:
    """Return the providers for a request, the first being the one that is wanted.

    ``stream`` is the CUDA stream that a session shall compute on.
    """
    if not Device.named(request.device).is_gpu:
        return [(CPU, {})]
    index = str(Device.named(request.device).index)
    on_stream = {"user_compute_stream": str(stream)} if stream else {}
    cuda = {
        "device_id": index,
        "use_tf32": "1" if request.precision == "tf32" else "0",  # it is on by default
        "enable_cuda_graph": "1" if request.options["cuda_graph"] else "0",
        "cudnn_conv_algo_search": str(request.options["cudnn_search"]).upper(),
        **on_stream,
    }
    if request.options["provider"] != "tensorrt":
        return [(CUDA, cuda), (CPU, {})]
    tensorrt = {
        "device_id": index,
        "trt_fp16_enable": "1" if request.precision == "fp16" else "0",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
        "trt_cuda_graph_enable": "1" if request.options["cuda_graph"] else "0",
        **on_stream,
    }
    return [(TENSORRT, tensorrt), (CUDA, {**cuda, "enable_cuda_graph": "0"}), (CPU, {})]


def placement(session: Any) -> Mapping[str, int]:
    """Return how many of the graph's nodes each provider has taken.

    A session with the CPU provider alone has them all there. For any other, ONNX Runtime before
    1.24 does not report it; raise `LoadError`.
    """
    if hasattr(session, "get_provider_graph_assignment_info"):
        counts: dict[str, int] = {}
        for part in session.get_provider_graph_assignment_info():
            counts[part.ep_name] = counts.get(part.ep_name, 0) + len(part.get_nodes())
        return counts
    if session.get_providers() == [CPU]:
        return {CPU: 1}
    raise LoadError(
        "cannot find out where ONNX Runtime has placed the graph's nodes",
        why="this version does not record it",
        mend="pip install 'onnxruntime-gpu>=1.24'",
    )


def operators_of(session: Any) -> list[str]:
    """Return the operator of every node; ONNX Runtime before 1.24 reports none."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return []
    parts = session.get_provider_graph_assignment_info()
    return [node.op_type for part in parts for node in part.get_nodes()]


def device_of(session: Any) -> str:
    """Return the device of a session's first provider, in this package's words."""
    first = session.get_providers()[0]
    if first == CPU:
        return "cpu"
    return f"cuda:{session.get_provider_options()[first].get('device_id', '?')}"
