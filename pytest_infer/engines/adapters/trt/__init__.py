"""TensorRT 8.6, 10 and 11, by the tensor names that all of them know."""

from __future__ import annotations

import json
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_infer.devices.device import Device
from pytest_infer.engines.adapters.trt import calibrator
from pytest_infer.engines.adapters.trt.options import FRESH, OPTIONS
from pytest_infer.engines.adapters.trt.runner import TensorRtRunner
from pytest_infer.engines.adapters.trt.timing_cache import (
    MEND,
    merged,
    store_timing_cache,
    timing_cache_path,
    use_timing_cache,
)
from pytest_infer.engines.adapters.trt.versions import (
    DISTRIBUTIONS,
    explained,
    given,
    graph_precision,
    installed_version,
    lacking,
    load_plugins,
    logger,
    network_flags,
    newest_opset,
    parser_errors,
    set_flags,
    wanted_flags,
)
from pytest_infer.engines.missing import missing_gpu
from pytest_infer.engines.protocol import Missing
from pytest_infer.errors import BuildError, LoadError, load_mend
from pytest_infer.graphs.graph import OPSET, GraphRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import OptionValue, Precision
    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Engine, LayerTimes
    from pytest_infer.engines.setting import EngineOption
    from pytest_infer.graphs.graph import Graph
    from pytest_infer.models.spec import ModelSpec

PLAN = "engine.plan"
FLAGS_FILE = "flags.json"

MISSING_MEND = "pip install 'pytest-infer[trt]'"
BUILD_MEND = "see what the messages name; a part of the graph may be beyond this TensorRT"
LOAD_MEND = load_mend(
    "see whether the GPU has memory left, and whether this process has another TensorRT"
)


class TensorRt:
    """Runs a plan that TensorRT has built for the GPU and the case's shapes.

    torch allocates the memory, pinned on the host and on the device, and brings streams and
    events: Polygraphy's CUDA wrapper, which could do without torch, has neither pinned memory nor
    events.
    """

    name = "trt"
    libraries = DISTRIBUTIONS
    modules = ("tensorrt",)
    builds_files = True
    options: Mapping[str, EngineOption] = OPTIONS
    precisions: Mapping[str, tuple[Precision, ...]] = {
        "cuda": ("fp32", "tf32", "bf16", "fp16", "int8")
    }

    def missing(self, device: str) -> Missing | None:
        """Return why TensorRT cannot run here; without a GPU, nothing else matters."""
        if lack := missing_gpu():
            return lack
        if not Device.named(device).is_gpu:
            return Missing(
                f"TensorRT needs an NVIDIA GPU, and the device is {device}", "--infer-device=cuda"
            )
        absent = [name for name in ("tensorrt", "torch") if find_spec(name) is None]
        if absent:
            return Missing(f"{' and '.join(absent)} not installed", MISSING_MEND)
        return None

    def lack(self, precision: Precision, device: str) -> Missing | None:
        """Return why the installed version cannot build ``precision``."""
        del device
        return lacking(precision, installed_version())

    def profile_options(
        self, options: Mapping[str, OptionValue]
    ) -> Mapping[str, OptionValue] | Missing:
        """Return the settings with an optimisation profile over the model's bounds."""
        return {**options, "dynamic_batch": True}

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return an ONNX file at an opset that the installed TensorRT reads right.

        It has Q/DQ nodes for int8 unless TensorRT calibrates, and the types of the precision where
        they cannot be flags.
        """
        calibrates = calibrator.has_calibrator(request)
        version = installed_version()
        newest = newest_opset(version) if version else None
        return GraphRequest(
            "onnx",
            precision="fp32" if calibrates else graph_precision(request.precision, version),
            opset=int(request.options["unsafe_opset"]) or newest or OPSET,
            is_symmetric=request.precision == "int8" and not calibrates,
            has_calibration=calibrates,
            is_pruned=bool(request.options["sparse"]),
        )

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Build a plan for the request's shapes, with the timings of earlier builds."""
        what = f"cannot build {graph.spec.name} for trt in {request.precision}"
        with explained(BuildError, what, mend=BUILD_MEND):
            import tensorrt
            import torch

            torch.cuda.set_device(Device.named(request.device).index)
            _refuse_opset(graph, request, tensorrt.__version__)
            calibrator.require_calibrator(graph, request)
            load_plugins()
            builder = tensorrt.Builder(logger())
            config = builder.create_builder_config()
            flags = _configure(config, graph, request)
            gpu = torch.cuda.get_device_name()
            timings = self.timings_file(folder.parent, request.device)
            is_fresh = request.options["timing_cache"] == FRESH
            kept = timings.read_bytes() if timings.is_file() and not is_fresh else b""
            has_timings = use_timing_cache(config, kept)
            network = given(builder.create_network(network_flags()), "create_network")
            parser = tensorrt.OnnxParser(network, logger())  # owns the weights during the build
            _parse(parser, graph, what)
            profile = _add_profile(builder, config, network, graph.spec, request)
            scales = ""
            if calibrator.has_calibrator(request) and graph.request.has_calibration:
                scales = calibrator.use_calibrator(config, profile, graph, request, folder.parent)
            plan = given(
                builder.build_serialized_network(network, config), "build_serialized_network"
            )
            (folder / PLAN).write_bytes(memoryview(plan))
            (folder / FLAGS_FILE).write_text(json.dumps(flags))
            if not is_fresh:
                store_timing_cache(config, timings)
            return {
                "tensorrt": tensorrt.__version__,
                "gpu": gpu,
                "opset": graph.request.opset,
                "graph_types": graph.request.precision,
                "flags": flags,
                "started_with_timings": has_timings,
                "calibration_cache": scales,
            }

    def timings_file(self, folder: Path, device: str) -> Path:
        """Return where builds in ``folder`` keep their timings."""
        import tensorrt
        import torch

        gpu = torch.cuda.get_device_name(Device.named(device).index)
        return timing_cache_path(folder, tensorrt.__version__, gpu)

    def timings_name(self) -> str:
        """Return the name of that file beside the baselines."""
        import tensorrt

        return f"{self.name}-{tensorrt.__version__}.timing"

    def merge_timings(self, first: bytes, second: bytes, device: str) -> bytes:
        """Return all of two timing caches, of the first where both have a kernel."""
        with explained(BuildError, "cannot combine TensorRT's timing caches", mend=MEND):
            import torch

            torch.cuda.set_device(Device.named(device).index)
            return merged(first, second)

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[TensorRtRunner]:
        """Load the plan onto its GPU, which becomes the process's current one."""
        path = built.path(PLAN)
        with explained(LoadError, f"cannot load {path}", mend=LOAD_MEND):
            import tensorrt
            import torch

            torch.cuda.set_device(Device.named(built.request.device).index)
            load_plugins()
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

    def profile(self, built: BuiltEngine, feeds: Arrays, *, warmup: int, calls: int) -> LayerTimes:
        """Return what each layer takes, by TensorRT's own profiler (``IProfiler``)."""
        with self.open(built) as runner:
            return runner.timed_layers(feeds, warmup=warmup, calls=calls)


def _refuse_opset(graph: Graph, request: BuildRequest, version: str) -> None:
    newest, found = newest_opset(version), graph.request.opset
    if newest is not None and found > newest and request.options["unsafe_opset"] != found:
        raise BuildError(
            f"cannot build {graph.spec.name} for trt from a graph of opset {found}",
            why=f"TensorRT {version} reads opsets up to {newest}; of a later one it accepts "
            "reductions whose axes are an input, and reduces over all axes",
            mend=f"export the graph at opset {newest}",
        )


def _configure(config: Any, graph: Graph, request: BuildRequest) -> dict[str, bool]:
    """Set what the request says; return the builder flags that are in force."""
    import tensorrt

    options = request.options
    workspace_bytes = int(options["workspace_mib"]) << 20
    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, workspace_bytes)
    config.builder_optimization_level = int(options["optimization_level"])
    # Without it the inspector would give the layers' names only, and there would be no evidence.
    config.profiling_verbosity = tensorrt.ProfilingVerbosity.DETAILED
    flags = wanted_flags(
        request.precision, sparse=bool(options["sparse"]), mixed=bool(options["mixed"])
    )
    return set_flags(config, flags, graph_types=graph.request.precision)


def _parse(parser: Any, graph: Graph, what: str) -> None:
    if not parser.parse_from_file(graph.file):
        raise BuildError(
            what,
            why=parser_errors(parser) or "the parser gives no reason",
            mend="export without the operators that the errors name, or use a newer TensorRT",
        )


def _add_profile(
    builder: Any, config: Any, network: Any, spec: ModelSpec, request: BuildRequest
) -> Any:
    """Fix the graph's dynamic dimensions, or give them the bounds that the model's spec has.

    Return the profile.

    A profile with a range costs a fifth of the speed.
    """
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        name = network.get_input(index).name
        shape = request.shapes[name]
        low, high = _range(spec, name, shape) if request.options["dynamic_batch"] else (shape,) * 2
        profile.set_shape(name, low, shape, high)
    config.add_optimization_profile(profile)
    return profile


def _range(
    spec: ModelSpec, name: str, shape: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the least and the greatest shape of an input; ``shape`` is between them."""
    sizes = zip(spec.inputs[name].shape, shape, strict=True)
    bounds = [
        (min(spec.dims[dim].min, size), max(spec.dims[dim].max, size))
        if isinstance(dim, str)
        else (size, size)
        for dim, size in sizes
    ]
    return tuple(low for low, _ in bounds), tuple(high for _, high in bounds)


ENGINE: Engine = TensorRt()
