"""A double of the module ``tensorrt``, as strict as the recorded API of one of its versions.

A public attribute, a parameter or an enumeration's member that the version does not have (or that
`tensorrt_api.json` does not record) is refused. What it builds doubles its input, on the host.
"""

# The names are TensorRT's own, and mean what they mean there:
# ruff: noqa: D101, D102

from __future__ import annotations

import ctypes
import json
import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from inspect import Parameter, Signature
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

API = json.loads(Path(__file__).with_name("tensorrt_api.json").read_text())["versions"]
VERSIONS = tuple(API)


@dataclass
class Behaviour:
    """What a test wants TensorRT to do, and what it saw."""

    reduced_is_built: bool = True
    mixed_is_built: bool = True
    kernel: str = "sm80_xmma_fprop_implicit_gemm_{type}_nhwc"
    sparse_kernel: str = "sm80_xmma_fprop_sparse_conv_{type}_sptensor"
    plugins: bool = True
    graphs_write: bool = True
    parser_errors: list[dict[str, Any]] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    builds: bool = True
    refuses_timings: bool = False
    runs: bool = True
    layers_ms: list[tuple[str, float]] = field(default_factory=list)
    """What an enqueue reports to a profiler."""
    seen: dict[str, Any] = field(default_factory=dict)


captures: list[list[Any]] = []
"""The calls of each CUDA graph that is being captured, the latest last."""


@contextmanager
def capture(graph: Any) -> Iterator[None]:
    """Keep every enqueue for ``graph.calls`` instead of running it."""
    captures.append(graph.calls)
    try:
        yield
    finally:
        captures.pop()


def tensorrt(version: str, behaviour: Behaviour) -> ModuleType:
    """Return the double of ``version``."""
    api = API[version]
    module = ModuleType("tensorrt")
    module.__version__ = version
    for name, members in api.items():
        if isinstance(members, list):
            setattr(module, name, IntEnum(name, members, start=0))
    for name in ("Builder", "OnnxParser", "Runtime", "ILogger", "IProfiler"):
        kind = type(name, (_KINDS[name],), {"trt": module, "behaviour": behaviour})
        setattr(module, name, kind)
    for name in CALIBRATORS:
        if name in api:
            own = {"trt": module, "behaviour": behaviour, "recorded": name}
            setattr(module, name, type(name, (Calibrator,), own))
    for name, overloads in api["functions"].items():
        setattr(module, name, Recorded._checked(name, _FUNCTIONS[name](behaviour), overloads))
    if "ERROR" in api["ILogger"]:
        module.ILogger.ERROR, module.ILogger.INTERNAL_ERROR = "error", "internal error"
    return module


class Recorded:
    """Has the members that the recorded API has for its class, called as recorded."""

    trt: Any
    behaviour: Behaviour
    recorded = ""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or name in {"trt", "behaviour", "recorded", "make"}:
            return object.__getattribute__(self, name)
        what = self._api(name)
        value = object.__getattribute__(self, name)
        return self._checked(name, value, what) if isinstance(what, list) else value

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and "settable" not in self._api(name):
            raise AttributeError(f"{self.recorded}.{name} cannot be set")
        object.__setattr__(self, name, value)

    def make(self, kind: type[Recorded], *args: Any) -> Any:
        """Return an object of another class of the same version."""
        name = kind.__name__
        return type(name, (kind,), {"trt": self.trt, "behaviour": self.behaviour})(*args)

    def _api(self, name: str) -> Any:
        members = API[self.trt.__version__][self.recorded]
        if name not in members:
            raise AttributeError(f"TensorRT {self.trt.__version__}: no {self.recorded}.{name}")
        return members[name]

    @staticmethod
    def _checked(name: str, method: Any, overloads: list[list[str]]) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if not any(_takes(parameters, args, kwargs) for parameters in overloads):
                raise TypeError(f"{name}(): incompatible function arguments")
            return method(*args, **kwargs)

        return call


class Logger(Recorded):
    """Is subclassed by the adapter, whose own names are its own business."""

    recorded = "ILogger"

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


class Profiler(Logger):
    """Is subclassed by the adapter, too."""

    recorded = "IProfiler"

    def __init__(self) -> None:
        pass


class Calibrator(Recorded):
    """Is subclassed by the adapter; the version calls it, by the names that it has."""

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def ask(self, name: str, *args: Any) -> Any:
        """Call what the adapter has overridden, as the recorded API has it."""
        overloads = API[self.trt.__version__][self.recorded][name]
        return Recorded._checked(name, getattr(self, name), overloads)(*args)


class Tensor(Recorded):
    recorded = "ITensor"

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "name", name)


class Network(Recorded):
    recorded = "INetworkDefinition"

    def __init__(self, flags: int) -> None:
        self._flags = flags
        self._graph: dict[str, Any] = {}

    @property
    def num_inputs(self) -> int:
        return len(self._graph["inputs"])

    def get_input(self, index: int) -> Tensor:
        return self.make(Tensor, list(self._graph["inputs"])[index])


class ParserError(Recorded):
    recorded = "ParserError"

    def __init__(self, facts: dict[str, Any]) -> None:
        self._facts = facts

    def desc(self) -> str:
        return self._facts["desc"]

    def node(self) -> int:
        return self._facts["node"]

    def node_name(self) -> str:
        return self._facts["name"]

    def node_operator(self) -> str:
        return self._facts["operator"]


class Parser(Recorded):
    recorded = "OnnxParser"

    def __init__(self, network: Network, logger: Logger) -> None:
        self._network = network
        self._logger = logger

    @property
    def num_errors(self) -> int:
        return len(self.behaviour.parser_errors)

    def get_error(self, index: int) -> ParserError:
        return self.make(ParserError, self.behaviour.parser_errors[index])

    def parse_from_file(self, model: str) -> bool:
        self._network._graph = json.loads(Path(model).read_text())
        return not self.behaviour.parser_errors


class Profile(Recorded):
    recorded = "IOptimizationProfile"

    def __init__(self) -> None:
        self._shapes: dict[str, Any] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:  # noqa: A002
        self._shapes[input] = [list(min), list(opt), list(max)]


class TimingCache(Recorded):
    recorded = "ITimingCache"

    def __init__(self, data: bytes) -> None:
        self._timings = set(data)

    def combine(self, input_cache: TimingCache, ignore_mismatch: bool) -> bool:
        self._timings |= input_cache._timings
        return ignore_mismatch  # 8.6.0 on an H200 joined them and said False, 2026-11-30

    def serialize(self) -> bytes:
        return bytes(sorted(self._timings))


class Config(Recorded):
    recorded = "IBuilderConfig"

    def __init__(self) -> None:
        self._flags = {self.trt.BuilderFlag["TF32"]}
        self._limits: dict[Any, int] = {}
        self._profiles: list[Profile] = []
        self._cache: TimingCache | None = None

    @property
    def int8_calibrator(self) -> Any:
        return self._calibrator

    @int8_calibrator.setter
    def int8_calibrator(self, calibrator: Calibrator) -> None:
        self._calibrator = calibrator

    def set_flag(self, flag: Any) -> None:
        self._flags.add(flag)

    def clear_flag(self, flag: Any) -> None:
        self._flags.discard(flag)

    def get_flag(self, flag: Any) -> bool:
        return flag in self._flags

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        self._limits[pool] = pool_size

    def create_timing_cache(self, serialized_timing_cache: bytes) -> TimingCache:
        return self.make(TimingCache, serialized_timing_cache)

    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
        if self._cache is not None:
            return False  # as 8.6.0 says to a second one, seen on an H200
        self._cache = cache
        return not ignore_mismatch and not self.behaviour.refuses_timings

    def set_calibration_profile(self, profile: Profile) -> bool:
        self._calibration_profile = profile
        return True

    def get_timing_cache(self) -> TimingCache | None:
        return self._cache

    def add_optimization_profile(self, profile: Profile) -> int:
        self._profiles.append(profile)
        return len(self._profiles) - 1


class Builder(Recorded):
    recorded = "Builder"

    def __init__(self, logger: Logger) -> None:
        self._logger = logger

    def create_builder_config(self) -> Config:
        return self.make(Config)

    def create_optimization_profile(self) -> Profile:
        return self.make(Profile)

    def create_network(self, flags: int = 0) -> Network:
        return self.make(Network, flags)

    def build_serialized_network(self, network: Network, config: Config) -> bytes | None:
        for text in self.behaviour.logs:
            self._logger.log(self.trt.ILogger.ERROR, text)
        flags = sorted(flag.name for flag in config._flags)
        self.behaviour.seen.update(flags=flags, network_flags=network._flags, config=config)
        config._cache._timings.add(len(flags))
        types = network._graph["types"]
        calibrator = getattr(config, "_calibrator", None)
        if calibrator is not None and "INT8" in flags:
            self.behaviour.seen["calibrated"] = self._calibrate(calibrator, config)
        plan = {
            "shapes": config._profiles[0]._shapes,
            "outputs": network._graph["outputs"],
            "detailed": config.profiling_verbosity is self.trt.ProfilingVerbosity.DETAILED,
            "io": {"fp16": "HALF", "bf16": "BF16"}.get(types, "FLOAT"),
            "types": self._types(flags, types),
            "is_sparse": "SPARSE_WEIGHTS" in flags,
        }
        return json.dumps(plan).encode() if self.behaviour.builds else None

    def _calibrate(self, calibrator: Calibrator, config: Config) -> list[Any]:
        """Return the inputs that the calibrator gives, unless its cache has the scales."""
        if calibrator.ask("read_calibration_cache") is not None:
            return []
        shapes = config._calibration_profile._shapes
        found = []
        while pointers := calibrator.ask("get_batch", list(shapes)):
            for pointer, (_, shape, _) in zip(pointers, shapes.values(), strict=True):
                memory = (ctypes.c_byte * (4 * math.prod(shape))).from_address(pointer)
                found.append(np.frombuffer(memory, np.float32).reshape(shape).copy())
        calibrator.ask("write_calibration_cache", b"scales")
        return found

    def _types(self, flags: list[str], types: str) -> list[str]:
        """Return the types of two layers with weights and one without."""
        if not self.behaviour.reduced_is_built:
            return ["Float"] * 3
        for name, text in {"INT8": "Int8", "BF16": "BFloat16", "FP16": "Half"}.items():
            if name in flags or name.lower() == types:
                rest = "Half" if "FP16" in flags and self.behaviour.mixed_is_built else "Float"
                return [text, text, rest if text == "Int8" else "Float"]
        return ["Float"] * 3


class Inspector(Recorded):
    recorded = "EngineInspector"

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan

    def get_engine_information(self, format: Any) -> str:  # noqa: A002
        assert format is self.trt.LayerInformationFormat.JSON
        tensors = "I/O Tensors" if self.trt.__version__.startswith("11") else "Bindings"
        *products, last = self._plan["types"]
        layers = [self._product(kind) for kind in products] + [self._pooling(last)]
        reformat = {"Name": "r", "LayerType": "Reformat", "Outputs": []}
        if not self._plan["detailed"]:
            layers = ["convolution"]
        return json.dumps({"Layers": [*layers, reformat], tensors: ["image", "scores"]})

    def _product(self, kind: str) -> dict[str, Any]:
        short = {"Half": "f16f16", "Float": "f32f32", "BFloat16": "bf16bf16", "Int8": "i8i8"}[kind]
        behaviour, is_sparse = self.behaviour, self._plan["is_sparse"]
        return {
            "Name": "c",
            "LayerType": "CaskConvolution",
            "Weights": {"Type": kind, "Count": 9},
            "HasSparseWeights": int(is_sparse),
            "Outputs": [{"Name": "x", "Format/Datatype": "Row major linear FP32"}],
            "TacticName": (behaviour.sparse_kernel if is_sparse else behaviour.kernel).format(
                type=short
            ),
        }

    def _pooling(self, kind: str) -> dict[str, Any]:
        format = {"Half": "FP16", "Float": "FP32"}[kind]  # noqa: A001 - TensorRT's word
        return {
            "Name": "p",
            "LayerType": "CaskPooling",
            "Outputs": [{"Name": "y", "Format/Datatype": f"Row major linear {format}"}],
            "TacticName": self.behaviour.kernel.format(type="f32f32"),
        }


class Context(Recorded):
    recorded = "IExecutionContext"

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._profiler: Any = None

    @property
    def profiler(self) -> Any:
        return self._profiler

    @profiler.setter
    def profiler(self, value: Any) -> None:
        self._profiler = value

    def set_input_shape(self, name: str, shape: Any) -> bool:
        self._shapes[name] = tuple(shape)
        low, _, high = self._plan["shapes"][name]
        return all(a <= size <= b for a, size, b in zip(low, shape, high, strict=True))

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        batch = next(iter(self._shapes.values()))[0]
        shape = self._shapes.get(name) or self._plan["outputs"][name]
        return tuple(batch if size == "batch" else size for size in shape)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        self.behaviour.seen["stream"] = stream_handle
        if captures:
            if self.behaviour.graphs_write:
                captures[-1].append(self._bound())
        else:
            self._bound()()
            for name, ms in self.behaviour.layers_ms if self._profiler else ():
                self._profiler.report_layer_time(layer_name=name, ms=ms)
        return self.behaviour.runs

    def _bound(self) -> Callable[[], None]:
        """Return the call on the memory that is bound now, as a CUDA graph keeps it."""
        (source,) = (self._memory(name) for name in self._plan["shapes"])
        targets = [self._memory(name) for name in self._plan["outputs"]]
        dtype = self._plan["io"]

        def call() -> None:
            for target in targets:
                target[:] = _stored(2 * _loaded(source, dtype)[: target.size], dtype)

        return call

    def _memory(self, name: str) -> Any:
        size = math.prod(self.get_tensor_shape(name))
        kind = _STORAGE[self._plan["io"]]
        memory = (ctypes.c_byte * (size * kind().itemsize)).from_address(self._addresses[name])
        return np.frombuffer(memory, kind)


def _loaded(values: Any, dtype: str) -> Any:
    """Return what lies in memory as float32; numpy has no bfloat16, the upper half of one."""
    if dtype != "BF16":
        return values.astype(np.float32)
    return (values.astype(np.uint32) << 16).view(np.float32)


def _stored(values: Any, dtype: str) -> Any:
    if dtype != "BF16":
        return values.astype(_STORAGE[dtype])
    return (values.view(np.uint32) >> 16).astype(np.uint16)


class Engine(Recorded):
    recorded = "ICudaEngine"

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._names = [*plan["shapes"], *plan["outputs"]]

    @property
    def num_io_tensors(self) -> int:
        return len(self._names)

    def get_tensor_name(self, index: int) -> str:
        return self._names[index]

    def get_tensor_mode(self, name: str) -> Any:
        modes = self.trt.TensorIOMode
        return modes["INPUT"] if name in self._plan["shapes"] else modes["OUTPUT"]

    def get_tensor_dtype(self, name: str) -> Any:
        assert name in self._names
        return self.trt.DataType[self._plan["io"]]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, *self._plan["shapes"][name][1][1:])

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Any]:
        assert profile_index == 0
        return self._plan["shapes"][name]

    def create_execution_context(self) -> Context:
        return self.make(Context, self._plan)

    def create_engine_inspector(self) -> Inspector:
        return self.make(Inspector, self._plan)


class Runtime(Recorded):
    recorded = "Runtime"

    def __init__(self, logger: Logger) -> None:
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> Engine | None:
        try:
            return self.make(Engine, json.loads(serialized_engine))
        except ValueError:
            self._logger.log(self.trt.ILogger.ERROR, "magicTag does not match")
            return None


_STORAGE = {"FLOAT": np.float32, "HALF": np.float16, "BF16": np.uint16}
_FUNCTIONS = {"init_libnvinfer_plugins": lambda behaviour: lambda *_: behaviour.plugins}
CALIBRATORS = ("IInt8EntropyCalibrator2", "IInt8MinMaxCalibrator")
_KINDS = {
    "Builder": Builder,
    "OnnxParser": Parser,
    "Runtime": Runtime,
    "ILogger": Logger,
    "IProfiler": Profiler,
}


def _takes(parameters: list[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    signature = Signature(
        [
            Parameter(
                text.rstrip("="),
                Parameter.POSITIONAL_OR_KEYWORD,
                default=None if text.endswith("=") else Parameter.empty,
            )
            for text in parameters
        ]
    )
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True
