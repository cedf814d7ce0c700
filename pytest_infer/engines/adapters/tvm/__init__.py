"""Apache TVM: a Relax program compiled to a shared library for this CPU or GPU."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.devices.device import Device
from pytest_infer.engines.adapters.tvm.program import ROUTES, export_program, reason
from pytest_infer.engines.feed_check import check_feed
from pytest_infer.engines.missing import missing_gpu
from pytest_infer.engines.protocol import Evidence, Missing
from pytest_infer.engines.setting import EngineOption
from pytest_infer.errors import BuildError, InferError, LoadError, RunError, load_mend
from pytest_infer.graphs.graph import GraphRequest
from pytest_infer.graphs.node_precisions import NO_FRACTIONS
from pytest_infer.graphs.torch_dtypes import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import Precision
    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Engine
    from pytest_infer.graphs.graph import Graph

FILE = "program.so"
ENTRY = "main"

LOAD_MEND = load_mend("see what TVM misses: a library, or memory on the device")
RUN_MEND = "see TVM's message; a program has one batch size, and is for one kind of device"


class Tvm:
    """Runs a program that TVM has compiled for the case's shapes and this machine."""

    name = "tvm"
    libraries = ("apache-tvm", "apache-tvm-ffi")
    modules = ("tvm",)
    builds_files = True
    builds_slowly = True
    unknown_domains = ("ai.onnx.ml",)
    options: Mapping[str, EngineOption] = {
        "route": EngineOption("onnx", "what TVM imports: onnx or torch's export", choices=ROUTES),
    }
    precisions: Mapping[str, tuple[Precision, ...]] = {
        # In fp16, EfficientNet-B0 is off by 18 times its noise floor on a CPU, and TVM 0.27 ends
        # the process by a segmentation fault while it compiles for an H200.
        "cpu": ("fp32",),
        "cuda": ("fp32",),
    }

    def missing(self, device: str) -> Missing | None:
        """Return why TVM cannot run here; torch times it on a GPU."""
        is_gpu = Device.named(device).is_gpu
        if is_gpu and (lack := missing_gpu()):
            return lack
        needed = {"tvm": "apache-tvm", "onnx": "onnx"} | ({"torch": "torch"} if is_gpu else {})
        absent = [shown for module, shown in needed.items() if find_spec(module) is None]
        if absent:
            return Missing(f"{', '.join(absent)} not installed", "pip install 'pytest-infer[tvm]'")
        return None

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return an ONNX file of the case's shapes and precision, or the module to export."""
        if request.options["route"] == "export":
            return GraphRequest("module")
        return GraphRequest("onnx", precision=request.precision, is_static=True)

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Import the graph, compile it for the device, and link it."""
        route = str(request.options["route"])
        try:
            target = export_program(graph, request, folder / FILE)
        except InferError:
            raise
        except Exception as error:
            (other,) = set(ROUTES) - {route}
            has_module = graph.spec.onnx is None
            raise BuildError(
                f"cannot build {graph.spec.name} for tvm in {request.precision} by {route}",
                why=reason(error),
                mend=f"try the other route, --infer-option=tvm.route={other}; "
                "or change what TVM's message names"
                if has_module
                else "change what TVM's message names, or leave tvm out",
            ) from error
        return {"target": target, "route": route}

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[TvmRunner]:
        """Load the library into a virtual machine on the device; a GPU becomes the current one."""
        path = built.path(FILE)
        try:
            import tvm
            import tvm_ffi

            device = tvm.device(built.request.device)
            if Device.named(built.request.device).is_gpu:
                import torch

                torch.cuda.set_device(device.index)
            # tvm.runtime's own keeps each library, its weights included, until the process ends.
            program = tvm_ffi.load_module(path, keep_module_alive=False)
            machine = tvm.relax.VirtualMachine(program, device)
        except Exception as error:
            raise LoadError(f"cannot load {path}", why=reason(error), mend=LOAD_MEND) from error
        runner = TvmRunner(machine, device, built)
        try:
            yield runner
        finally:
            runner.close()


class TvmRunner:
    """A virtual machine, called with named arrays."""

    def __init__(self, machine: Any, device: Any, built: BuiltEngine) -> None:
        self._machine = machine
        self._device = device
        self._built = built

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        """Return the named outputs; on a GPU, everything runs on CUDA's default stream."""
        outputs = self._outputs(self._call(self._resident(feeds)))
        return {name: value.numpy() for name, value in outputs.items()}

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return a call on feeds on the device; on a GPU it enqueues on torch's current stream."""
        inputs = self._resident(feeds)
        if not Device.named(self._built.request.device).is_gpu:
            return partial(self._call, inputs)
        import tvm_ffi

        def enqueue() -> object:
            with tvm_ffi.use_torch_stream():
                return self._call(inputs)

        return enqueue

    def bound_outputs(self, call: Callable[[], object]) -> dict[str, Array]:
        """Return the named outputs of a bound call."""
        returned = call()
        if Device.named(self._built.request.device).is_gpu:
            import torch

            torch.cuda.synchronize()
        outputs = {} if returned is None else self._outputs(returned)
        return {name: value.numpy() for name, value in outputs.items()}

    def evidence(self) -> Evidence:
        """Return the types and devices of the tensors that the kernels are called with.

        The virtual machine walks through the program and hands each kernel's arguments over
        without running it.
        """
        kernels, returned = self._walk()
        outputs = self._outputs(returned)
        precisions = Counter(found for kernel in kernels if (found := _precision(kernel)))
        devices = Counter(
            _device(value) for kernel in (*kernels, outputs.values()) for value in kernel
        )
        device = _most(devices)
        precision = NO_FRACTIONS if kernels and not precisions else _most(precisions)
        return Evidence(
            precision=precision,
            device=device,
            precision_share=precisions[precision] / max(precisions.total(), 1),
            device_share=devices[device] / max(devices.total(), 1),
            details={
                "kernels": dict(precisions),
                "devices": dict(devices),
                "output_dtypes": {name: str(value.dtype) for name, value in outputs.items()},
            },
        )

    def close(self) -> None:
        """Free the program and the memory that TVM's pool keeps."""
        import tvm

        self._machine = None
        tvm.get_global_func("vm.builtin.memory_manager.clear")()

    def _walk(self) -> tuple[list[list[Any]], Any]:
        """Return the tensors that each kernel is called with, and what the program returns."""
        from tvm.runtime import Tensor
        from tvm.runtime.vm import VMInstrumentReturnKind

        kernels: list[list[Any]] = []

        def look(_function: Any, name: str, before: bool, _returned: Any, *values: Any) -> Any:
            if not before or name.startswith("vm.builtin."):
                return VMInstrumentReturnKind.NO_OP
            kernels.append([value for value in values if isinstance(value, Tensor)])
            return VMInstrumentReturnKind.SKIP_RUN

        shapes = self._built.request.shapes
        inputs = self._resident({name: np.zeros(shape) for name, shape in shapes.items()})
        self._machine.set_instrument(look)
        try:
            return kernels, self._call(inputs)
        finally:
            self._machine.set_instrument(None)

    def _resident(self, feeds: Arrays) -> list[Any]:
        import tvm

        request, inputs = self._built.request, self._built.graph.spec.inputs
        tensors = []
        for name, spec in inputs.items():
            check_feed(name, feeds, tuple(request.shapes[name]))
            is_floating = spec.dtype.startswith("float")
            dtype = DTYPES[request.precision] if is_floating else spec.dtype
            array = np.asarray(feeds[name], dtype=dtype, order="C")
            tensors.append(tvm.runtime.tensor(array, self._device))
        return tensors

    def _call(self, inputs: list[Any]) -> Any:
        try:
            return self._machine[ENTRY](*inputs)
        except Exception as error:
            raise RunError("TVM did not run", why=reason(error), mend=RUN_MEND) from error

    def _outputs(self, returned: Any) -> dict[str, Any]:
        spec = self._built.graph.spec
        values = [returned] if hasattr(returned, "dtype") else list(returned)
        if len(values) != len(spec.outputs):
            raise RunError(
                f"{spec.name} returned {len(values)} outputs",
                why=f"its spec names {len(spec.outputs)}: {', '.join(spec.outputs)}",
                mend="name every output in the model's decorator, in order",
            )
        return dict(zip(spec.outputs, values, strict=True))


def _precision(kernel: list[Any]) -> str:
    """Return the precision of a kernel's floating tensors; nothing if it has none."""
    dtypes = {str(value.dtype) for value in kernel if "float" in str(value.dtype)}
    names: dict[str, str] = {dtype: name for name, dtype in DTYPES.items() if name != "tf32"}
    return " with ".join(sorted(names.get(dtype, dtype) for dtype in dtypes))


def _device(value: Any) -> str:
    """Return a tensor's device in torch's words."""
    return str(Device.named(str(value.device)))


def _most(counts: Counter[str]) -> str:
    return counts.most_common(1)[0][0] if counts else "nothing"


ENGINE: Engine = Tvm()
