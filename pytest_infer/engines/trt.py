"""TensorRT 8.6, 10 and 11, by the tensor names that all of them know."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.engine import OPSET, Evidence, GraphRequest, Missing
from pytest_infer.errors import BuildError, LoadError, RunError
from pytest_infer.tensorrt_api import (
    DISTRIBUTIONS,
    explained,
    given,
    installed_version,
    logger,
    network_flags,
    newest_opset,
    parser_errors,
    reason,
    set_precision,
)
from pytest_infer.tensorrt_layers import layer_precisions
from pytest_infer.tensorrt_timing import store_timing_cache, timing_cache_path, use_timing_cache
from pytest_infer.torch_runner import missing_gpu

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

PLAN = "engine.plan"
FLAGS_FILE = "flags.json"
WORKSPACE_BYTES = 4 << 30
"""The most scratch memory a kernel may ask for; it fits beside a network on an 8 GB GPU."""

DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT32": "int32",
    "INT64": "int64",
    "INT8": "int8",
    "UINT8": "uint8",
    "BOOL": "bool",
}
"""torch's name of each type that a network's inputs and outputs may have here."""

MISSING_MEND = "pip install 'pytest-infer[trt]'"
BUILD_MEND = "see what the messages name; a part of the graph may be beyond this TensorRT"
LOAD_MEND = "remove the folder, and it is built again by this TensorRT for this GPU"
RUN_MEND = "give the inputs and shapes that the engine was built for; see the messages"


class TensorRt:
    """Runs a plan that TensorRT has built for the GPU and the case's shapes.

    torch allocates the memory, pinned on the host and on the device, and brings streams and
    events: Polygraphy's CUDA wrapper, which could do without torch, has neither pinned memory nor
    events.
    """

    name = "trt"
    libraries = DISTRIBUTIONS
    builds_files = True
    options: Mapping[str, EngineOption] = {}
    precisions: Mapping[str, tuple[Precision, ...]] = {"cuda": ("fp32", "tf32", "fp16")}

    def missing(self, device: str) -> Missing | None:
        """Return why TensorRT cannot run here; without a GPU, nothing else matters."""
        if lack := missing_gpu():
            return lack
        if not device.startswith("cuda"):
            return Missing(
                f"TensorRT needs an NVIDIA GPU, and the device is {device}", "--infer-device=cuda"
            )
        absent = [name for name in ("tensorrt", "torch") if find_spec(name) is None]
        if absent:
            return Missing(f"{' and '.join(absent)} not installed", MISSING_MEND)
        return None

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return an ONNX file at an opset that the installed TensorRT reads right."""
        del request
        version = installed_version()
        return GraphRequest("onnx", opset=(newest_opset(version) if version else None) or OPSET)

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Build a plan for the request's shapes alone, with the timings of earlier builds."""
        what = f"cannot build {graph.spec.name} for trt in {request.precision}"
        with explained(BuildError, what, mend=BUILD_MEND):
            import tensorrt
            import torch

            torch.cuda.set_device(_gpu_index(request.device))
            _refuse_opset(graph, tensorrt.__version__)
            builder = tensorrt.Builder(logger())
            config = builder.create_builder_config()
            flags = set_precision(config, request.precision)
            _configure(config)
            gpu = torch.cuda.get_device_name()
            timings = timing_cache_path(folder.parent, tensorrt.__version__, gpu)
            has_timings = use_timing_cache(config, timings)
            network = given(builder.create_network(network_flags()), "create_network")
            parser = tensorrt.OnnxParser(network, logger())  # owns the weights during the build
            _parse(parser, graph, what)
            _add_profile(builder, config, network, request)
            plan = given(
                builder.build_serialized_network(network, config), "build_serialized_network"
            )
            (folder / PLAN).write_bytes(memoryview(plan))
            (folder / FLAGS_FILE).write_text(json.dumps(flags))
            store_timing_cache(config, timings)
            return {
                "tensorrt": tensorrt.__version__,
                "gpu": gpu,
                "opset": graph.request.opset,
                "flags": flags,
                "started_with_timings": has_timings,
            }

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[TensorRtRunner]:
        """Load the plan onto its GPU, which becomes the process's current one."""
        path = built.path(PLAN)
        with explained(LoadError, f"cannot load {path}", mend=LOAD_MEND):
            import tensorrt
            import torch

            torch.cuda.set_device(_gpu_index(built.request.device))
            runtime = tensorrt.Runtime(logger())
            engine = given(
                runtime.deserialize_cuda_engine(path.read_bytes()), "deserialize_cuda_engine"
            )
            flags = json.loads(built.path(FLAGS_FILE).read_text())
            runner = TensorRtRunner(engine, built.request, allows_tf32=flags.get("TF32", False))
        try:
            yield runner
        finally:
            runner.close()


@dataclass(frozen=True)
class _Buffer:
    """A tensor's memory: on the device, and pinned on the host to be copied from or to."""

    device: Any
    host: Any


class TensorRtRunner:
    """An engine with one execution context, fixed buffers and a stream of its own."""

    def __init__(self, engine: Any, request: BuildRequest, *, allows_tf32: bool) -> None:
        import tensorrt
        import torch

        self._device = request.device
        self._allows_tf32 = allows_tf32
        self._engine = engine
        self._context = given(engine.create_execution_context(), "create_execution_context")
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = {n for n in names if engine.get_tensor_mode(n) == tensorrt.TensorIOMode.INPUT}
        for name in inputs:
            given(self._context.set_input_shape(name, request.shapes[name]), "set_input_shape")
        buffers = {name: self._buffer(name) for name in names}
        self._inputs = {name: buffers[name] for name in names if name in inputs}
        self._outputs = {name: buffers[name] for name in names if name not in inputs}
        self._stream = torch.cuda.Stream()

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        """Return the named outputs; copies and kernels run on the runner's own stream."""
        import torch

        self._stream.wait_stream(torch.cuda.current_stream())  # a bound call may be under way
        with torch.cuda.stream(self._stream):
            self._upload(feeds)
            self._enqueue(self._stream.cuda_stream)
            for buffer in self._outputs.values():
                buffer.host.copy_(buffer.device, non_blocking=True)
        self._stream.synchronize()
        return {name: buffer.host.numpy().copy() for name, buffer in self._outputs.items()}

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return an asynchronous call on torch's current stream, whose events can time it.

        The runner has one set of buffers: a later `infer` or `bind` replaces the feeds.
        """
        import torch

        with torch.cuda.stream(self._stream):
            self._upload(feeds)
        self._stream.synchronize()
        current_stream = torch.cuda.current_stream
        return lambda: self._enqueue(current_stream().cuda_stream)

    def evidence(self) -> Evidence:
        """Return the layers' precisions by the inspector, and the device of the outputs."""
        with explained(RunError, "cannot inspect the TensorRT engine", mend=LOAD_MEND):
            import tensorrt

            inspector = self._engine.create_engine_inspector()
            inspector.execution_context = self._context
            layers = layer_precisions(
                inspector.get_engine_information(tensorrt.LayerInformationFormat.JSON)
            )
        return Evidence(
            precision=layers.precision(allows_tf32=self._allows_tf32),
            device=", ".join(sorted({str(b.device.device) for b in self._outputs.values()})),
            details={
                "layers": dict(layers.counts),
                "fp16_share": layers.share("fp16"),
                "tf32_known_from": "kernel names" if layers.kernels_tell_tf32 else "build flags",
                "built_with_tf32_flag": self._allows_tf32,
            },
        )

    def close(self) -> None:
        """Free the device memory, torch's cached part of it too."""
        import torch

        self._inputs.clear()
        self._outputs.clear()
        self._context = self._engine = None
        torch.cuda.empty_cache()

    def _buffer(self, name: str) -> _Buffer:
        import torch

        shape = tuple(self._context.get_tensor_shape(name))
        kind = self._engine.get_tensor_dtype(name).name
        if min(shape, default=0) < 0 or kind not in DTYPES:
            raise RuntimeError(
                f"{name} has shape {shape} and type {kind}; supported are shapes that follow from "
                f"the inputs' and the types {', '.join(DTYPES)}"
            )
        dtype = getattr(torch, DTYPES[kind])
        device = torch.empty(shape, dtype=dtype, device=self._device)
        given(self._context.set_tensor_address(name, device.data_ptr()), "set_tensor_address")
        return _Buffer(device, torch.empty(shape, dtype=dtype, pin_memory=True))

    def _upload(self, feeds: Arrays) -> None:
        for name, buffer in self._inputs.items():
            _check_feed(name, feeds, tuple(buffer.host.shape))
            np.copyto(buffer.host.numpy(), feeds[name], casting="same_kind")
            buffer.device.copy_(buffer.host, non_blocking=True)

    def _enqueue(self, stream: int) -> None:
        try:
            given(self._context.execute_async_v3(stream), "execute_async_v3")
        except Exception as error:
            raise RunError("TensorRT did not run", why=reason(error), mend=RUN_MEND) from error


def _gpu_index(device: str) -> int:
    return int(device.partition(":")[2] or 0)  # torch takes no bare "cuda" here


def _refuse_opset(graph: Graph, version: str) -> None:
    newest = newest_opset(version)
    if newest is not None and graph.request.opset > newest:
        raise BuildError(
            f"cannot build {graph.spec.name} for trt from a graph of opset {graph.request.opset}",
            why=f"TensorRT {version} reads opsets up to {newest}; of a later one it accepts "
            "reductions whose axes are an input, and reduces over all axes",
            mend=f"export the graph at opset {newest}",
        )


def _configure(config: Any) -> None:
    import tensorrt

    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    # Without it the inspector would give the layers' names only, and there would be no evidence.
    config.profiling_verbosity = tensorrt.ProfilingVerbosity.DETAILED


def _parse(parser: Any, graph: Graph, what: str) -> None:
    if not parser.parse_from_file(graph.file):
        raise BuildError(
            what,
            why=parser_errors(parser) or "the parser gives no reason",
            mend="export without the operators that the errors name, or use a newer TensorRT",
        )


def _add_profile(builder: Any, config: Any, network: Any, request: BuildRequest) -> None:
    """Fix the graph's dynamic dimensions: a profile with a range costs a fifth of the speed."""
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        name = network.get_input(index).name
        shape = request.shapes[name]
        profile.set_shape(name, shape, shape, shape)
    config.add_optimization_profile(profile)


def _check_feed(name: str, feeds: Arrays, shape: tuple[int, ...]) -> None:
    found = feeds[name].shape if name in feeds else None
    if found != shape:
        raise RunError(
            f"cannot feed {name}",
            why=f"the engine was built for shape {shape}, and the feed has "
            + (f"shape {found}" if found is not None else "no array of that name"),
            mend=f"feed {name} in shape {shape}, or build the engine for another batch",
        )


ENGINE: Engine = TensorRt()
