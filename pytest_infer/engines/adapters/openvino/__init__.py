"""OpenVINO on its CPU plugin."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.devices.cpu_products import weight_bits
from pytest_infer.engines.adapters.openvino import nncf
from pytest_infer.engines.adapters.openvino.layers import layer_times, ran_layers
from pytest_infer.engines.adapters.openvino.nodes import node_precisions
from pytest_infer.engines.feed_check import check_feed
from pytest_infer.engines.protocol import Evidence, Missing
from pytest_infer.engines.setting import MORE_THREADS, MOST_THREADS, EngineOption
from pytest_infer.errors import BuildError, LoadError, TimingError, load_mend
from pytest_infer.graphs.graph import GraphRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import OptionValue, Precision
    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Engine, LayerTimes
    from pytest_infer.graphs.graph import Graph
    from pytest_infer.graphs.ran_layer import RanLayer

FILE = "model.xml"
"""The graph; its weights are beside it, in ``model.bin``."""

PLUGIN = "CPU"

HINTS: Mapping[Precision, str] = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""What the plugin computes in where the graph has no Q/DQ nodes.

It is always given: left alone, the plugin computes an fp32 graph in bf16 wherever the CPU can.
"""

CPU_INFO = Path("/proc/cpuinfo")
BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


class OpenVino:
    """Runs a graph that OpenVINO has read, given the case's shapes, and saved as its own files."""

    name = "openvino"
    libraries = ("openvino", "nncf")
    modules = ("openvino",)
    builds_files = True
    unknown_domains = ("ai.onnx.ml",)
    options: Mapping[str, EngineOption] = {
        "threads": EngineOption(
            0,
            "threads of one inference; 0 is OpenVINO's choice",
            affects_build=False,
            counts_threads=True,
            most=MOST_THREADS,
            because=MORE_THREADS,
        ),
        nncf.NAME: nncf.OPTION,
        "dynamic_batch": EngineOption(
            False, "keep the model's dynamic dimensions instead of the case's shapes"
        ),
    }
    precisions: Mapping[str, tuple[Precision, ...]] = {"cpu": ("fp32", "bf16", "int8")}

    def missing(self, device: str) -> Missing | None:
        """Return why OpenVINO cannot run here."""
        if find_spec("openvino") is None:
            return Missing("openvino is not installed", "pip install 'pytest-infer[openvino]'")
        if device != "cpu":
            return Missing(
                f"this adapter drives OpenVINO on the CPU only, and the device is {device}",
                "--infer-device=cpu",
            )
        return None

    def lack(self, precision: Precision, device: str) -> Missing | None:
        """Return why this CPU cannot multiply in ``precision``, by the flags Linux gives it."""
        del device
        if precision != "bf16" or BF16_FLAGS & set(CPU_INFO.read_text().split()):
            return None
        return Missing(
            f"the CPU has none of the flags {', '.join(sorted(BF16_FLAGS))} in {CPU_INFO}",
            "run on a CPU that has one, or leave out --infer-precision=bf16",
        )

    def profile_options(
        self, options: Mapping[str, OptionValue]
    ) -> Mapping[str, OptionValue] | Missing:
        """Return the settings with dynamic dimensions."""
        return {**options, "dynamic_batch": True}

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return an ONNX file with the model's dynamic dimensions.

        For int8 it is a quantized one, or has the rows beside it that NNCF calibrates on.
        """
        if nncf.has_nncf(request):
            return GraphRequest("onnx", has_calibration=True)
        if request.precision == "int8":
            return GraphRequest("onnx", precision="int8", weight_bits=weight_bits())
        return GraphRequest("onnx")

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Read the graph, fix its shapes unless they stay dynamic, and save it with fp32 weights.

        What depends on the CPU, its kernels and the layout of weights, is chosen in `open`.
        """
        try:
            import openvino

            model = openvino.Core().read_model(graph.file)
            ports = _ports(model.inputs, graph.spec.inputs, graph.spec.outputs)
            if not request.options["dynamic_batch"]:
                model.reshape({ports[name]: list(shape) for name, shape in request.shapes.items()})
            if nncf.has_nncf(request) and graph.request.has_calibration:
                model = nncf.quantized(model, graph, request, ports)
            # compress_to_fp16 defaults to true, which rounds the weights of every precision.
            openvino.save_model(model, folder / FILE, compress_to_fp16=False)
        except BuildError:
            raise
        except Exception as error:
            raise BuildError(
                f"cannot build {graph.spec.name} for openvino in {request.precision}",
                why=f"{type(error).__name__}: {error}",
                mend="see which operator or shape it names, or leave openvino out",
            ) from error
        return {"openvino": openvino.get_version(), "opset": graph.request.opset}

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[OpenVinoRunner]:
        """Compile the saved graph for this CPU."""
        path = built.path(FILE)
        try:
            import openvino

            core = openvino.Core()
            compiled = core.compile_model(core.read_model(path), PLUGIN, _settings(built.request))
        except Exception as error:
            raise LoadError(
                f"cannot load {path}",
                why=f"{type(error).__name__}: {error}",
                mend=load_mend(
                    "see which operator or type OpenVINO names; change it in the model, or leave "
                    "openvino out"
                ),
            ) from error
        yield OpenVinoRunner(compiled, built)

    def profile(self, built: BuiltEngine, feeds: Arrays, *, warmup: int, calls: int) -> LayerTimes:
        """Return OpenVINO's performance counters (``PERF_COUNT``), read after each call."""
        path = built.path(FILE)
        try:
            import openvino

            core = openvino.Core()
            settings = {**_settings(built.request), "PERF_COUNT": True}
            compiled = core.compile_model(core.read_model(path), PLUGIN, settings)
            return OpenVinoRunner(compiled, built).counted(feeds, warmup=warmup, calls=calls)
        except Exception as error:
            raise TimingError(
                f"cannot profile {path}",
                why=f"{type(error).__name__}: {error}",
                mend="leave out --infer-profile",
            ) from error


class OpenVinoRunner:
    """A compiled model, called with named arrays."""

    def __init__(self, compiled: Any, built: BuiltEngine) -> None:
        request = built.request
        self._compiled = compiled
        self._shapes = request.shapes
        self._bounds = built.graph.spec.bounds() if request.options["dynamic_batch"] else {}
        self._chooses_threads = request.options["threads"] == 0
        self._bound: Any = None
        spec = built.graph.spec
        self._inputs = _ports(compiled.inputs, spec.inputs, spec.outputs)
        self._outputs = _ports(compiled.outputs, spec.outputs, spec.inputs)

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        """Return copies of the named outputs."""
        request = self._filled(feeds)
        request.infer(share_outputs=True)
        return self._written(request)

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return a synchronous call on feeds that are in the request's own memory."""
        request = self._bound = self._filled(feeds)
        return lambda: request.infer(share_outputs=True)

    def bound_outputs(self, call: Callable[[], object]) -> dict[str, Array]:
        """Return what a bound call writes into the request's own memory."""
        for port in self._outputs.values():
            data = self._bound.get_tensor(port).data
            data[...] = np.nan if data.dtype.kind == "f" else 1
        call()
        return self._written(self._bound)

    def evidence(self) -> Evidence:
        """Return the devices, threads and shapes in force, and the precision of every node."""
        nodes = [_traits(node) for node in self._compiled.get_runtime_model().get_ops()]
        counts = node_precisions((layer, precision) for layer, precision, _ in nodes)
        devices = self._compiled.get_property("EXECUTION_DEVICES")
        return Evidence(
            precision=counts.precision,
            device=", ".join(sorted({str(device).lower() for device in devices})),
            precision_share=counts.share(counts.precision),
            proven=self._proven(),
            details={
                "nodes": counts.as_dict(),
                "kernels": dict(Counter(kernel for _, _, kernel in nodes if kernel)),
                "hint": self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string(),
                "threads": self._threads,
                "streams": int(self._compiled.get_property("NUM_STREAMS")),
            },
        )

    def layers(self) -> list[RanLayer]:
        """Return the nodes of the runtime model, each with the names that were fused into it."""
        return ran_layers(self._compiled.get_runtime_model().get_ordered_ops())

    def counted(self, feeds: Arrays, *, warmup: int, calls: int) -> LayerTimes:
        """Return the counters of a model that was compiled with them."""
        request = self._filled(feeds)
        found: list[Any] = []
        for _ in range(warmup + calls):
            request.infer(share_outputs=True)
            found.append(request.profiling_info)
        return layer_times(found[warmup:], self.layers())

    def _written(self, request: Any) -> dict[str, Array]:
        return {name: request.get_tensor(port).data.copy() for name, port in self._outputs.items()}

    @property
    def _threads(self) -> int:
        return int(self._compiled.get_property("INFERENCE_NUM_THREADS"))

    def _proven(self) -> dict[str, OptionValue]:
        """Return the settings in force; OpenVINO's own choice of threads proves none."""
        is_dynamic = any(value.get_partial_shape().is_dynamic for value in self._compiled.inputs)
        threads = {} if self._chooses_threads else {"threads": self._threads}
        return {"dynamic_batch": is_dynamic, **threads}

    def _filled(self, feeds: Arrays) -> Any:
        """Return a new request whose inputs hold the feeds."""
        import openvino

        request = self._compiled.create_infer_request()
        for name, value in self._inputs.items():
            check_feed(name, feeds, *self._bounds.get(name, (tuple(self._shapes[name]),)))
            feed = feeds[name]
            tensor = openvino.Tensor(value.get_element_type(), list(feed.shape))
            np.copyto(tensor.data, feed, casting="same_kind")
            request.set_tensor(value, tensor)
        return request


def _ports(ports: Sequence[Any], names: Iterable[str], others: Iterable[str]) -> dict[str, Any]:
    """Return the inputs' ports, or the outputs', by the ``names`` that a spec has for them.

    A port has every name that its tensor had on the way through OpenVINO, and two ports of one
    tensor share theirs. Where an output is an input unchanged (`Max`, `Min` and `Sum` of one), the
    port has only names of the ``others``, and is known by its place. A port with none of these
    goes by whatever it has.
    """
    wanted, far = list(names), set(others)
    found = {name: port for port in ports for name in port.get_names()}
    known = {name: found[name] for name in wanted if name in found}
    for name, port in zip(wanted, ports, strict=False):
        if name not in known and known.keys().isdisjoint(port.get_names()):
            known |= {name: port} if far & set(port.get_names()) else {}
    rest = [port for port in ports if not any(port is each for each in known.values())]
    unknown = [port for port in rest if known.keys().isdisjoint(port.get_names())]
    return {**known, **{port.get_any_name(): port for port in unknown}}


def _settings(request: BuildRequest) -> dict[str, Any]:
    return {
        "INFERENCE_PRECISION_HINT": HINTS[request.precision],
        "INFERENCE_NUM_THREADS": request.options["threads"],
        "PERFORMANCE_HINT": "LATENCY",
    }


def _traits(node: Any) -> tuple[str, str, str]:
    """Return a runtime node's layer type, precision and kernel."""
    facts = node.get_rt_info()
    layer, precision, kernel = (
        facts[key].astype(str) for key in ("layerType", "runtimePrecision", "primitiveType")
    )
    return layer, precision, f"{layer} {kernel}"


ENGINE: Engine = OpenVino()
