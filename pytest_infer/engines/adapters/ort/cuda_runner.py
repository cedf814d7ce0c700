"""Run an ONNX Runtime session on a GPU with every tensor bound to memory that stays there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_infer.devices.gpu_trace import launches_graph
from pytest_infer.engines.adapters.ort.layers import ran_layers
from pytest_infer.engines.adapters.ort.session import CUDA, FILE, TENSORRT, device_of, placement
from pytest_infer.engines.protocol import Evidence
from pytest_infer.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.engines.protocol import BuiltEngine
    from pytest_infer.graphs.ran_layer import RanLayer
    from pytest_infer.models.spec import ModelSpec

TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}
"""torch's name of each type that a graph's inputs and outputs may have here."""


@dataclass(frozen=True)
class _Bound:
    """Inputs and outputs on the device, and the binding that names them to the session."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    binding: Any


class CudaRunner:
    """A session whose inputs and outputs are bound to fixed addresses on the GPU.

    The session computes on ``stream``, for good. A call is asynchronous; where torch's current
    stream is another, each waits for the other, so that events on the current one enclose it.
    """

    def __init__(self, session: Any, built: BuiltEngine, stream: Any) -> None:
        import onnxruntime
        import torch

        self._session = session
        self._built = built
        self._stream = stream
        # torch.cuda.current_stream() takes some us, and what it returns cannot be kept
        self._handle_of_current = partial(
            torch._C._cuda_getCurrentRawStream,  # noqa: SLF001
            stream.device_index,
        )
        self._bound: _Bound | None = None
        self._run_options = onnxruntime.RunOptions()
        self._run_options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        # The default; where it is not set, ONNX Runtime 1.30 raises and catches an error each call.
        self._run_options.add_run_config_entry("gpu_graph_id", "0")

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        """Return the named outputs."""
        bound = self._upload(feeds)
        self._call(bound)
        return self._outputs_of(bound)

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return an asynchronous call on feeds that are on the device already.

        A later `infer` or `bind` replaces the feeds.
        """
        bound = self._upload(feeds)
        return lambda: self._call(bound)

    def bound_outputs(self, call: Callable[[], object]) -> dict[str, Array]:
        """Return what a bound call writes into the bound outputs."""
        import torch

        if self._bound is None:
            raise RuntimeError("bind feeds before looking at what a bound call puts out")
        for value in self._bound.outputs.values():
            value.fill_(float("nan") if value.is_floating_point() else 1)
        torch.cuda.synchronize()
        call()
        torch.cuda.synchronize()
        return self._outputs_of(self._bound)

    def evidence(self) -> Evidence:
        """Return the types of the inputs, TF32's switch, and the share of nodes on the GPU."""
        placed = placement(self._session)
        on_gpu = sum(count for name, count in placed.items() if name in {CUDA, TENSORRT})
        types = {value.type for value in self._session.get_inputs() if "float" in value.type}
        options = self._session.get_provider_options()
        precision = "fp16" if types == {"tensor(float16)"} else "fp32"
        if precision == "fp32" and _uses_tf32(options):
            precision = "tf32"
        return Evidence(
            precision=precision,
            device=device_of(self._session),
            device_share=on_gpu / sum(placed.values()),
            proven={"cuda_graph": self._launches_graph()},
            details={f"nodes on {name}": count for name, count in placed.items()},
        )

    def layers(self) -> Sequence[RanLayer]:
        """Return the session's nodes."""
        return ran_layers(self._session, self._built.path(FILE), self._built.request.precision)

    def close(self) -> None:
        """Free the device memory, torch's cached part of it too."""
        import torch

        self._stream.synchronize()
        self._bound = self._session = None
        torch.cuda.empty_cache()

    def _outputs_of(self, bound: _Bound) -> dict[str, Array]:
        self._stream.synchronize()
        return {name: value.cpu().numpy() for name, value in bound.outputs.items()}

    def _launches_graph(self) -> bool:
        import torch

        shapes = self._built.request.shapes
        zeros = {
            name: torch.zeros(tuple(shapes[name]), dtype=self._type(value)).numpy()
            for name, value in self._values(self._session.get_inputs()).items()
        }
        bound = self._upload(zeros)
        self._call(bound)
        return launches_graph(lambda: self._call(bound))

    def _call(self, bound: _Bound) -> None:
        if self._handle_of_current() == self._stream.cuda_stream:
            self._run(bound)
            return
        import torch

        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        self._run(bound)
        current.wait_stream(self._stream)

    def _run(self, bound: _Bound) -> None:
        try:
            self._session.run_with_iobinding(bound.binding, self._run_options)
        except Exception as error:
            raise RunError(
                "ONNX Runtime did not run",
                why=str(error),
                mend="see the message; a CUDA graph cannot hold nodes that run on the CPU",
            ) from error

    def _upload(self, feeds: Arrays) -> _Bound:
        import torch

        shapes = {
            name: self._shape(feeds, name) for name in self._values(self._session.get_inputs())
        }
        if self._bound is None or shapes != {
            name: tuple(value.shape) for name, value in self._bound.inputs.items()
        }:
            self._stream.synchronize()
            self._bound = self._new_bound(shapes)
        with torch.cuda.stream(self._stream):
            for name, value in self._bound.inputs.items():
                value.copy_(torch.from_numpy(feeds[name].copy()))
        return self._bound

    def _new_bound(self, shapes: Mapping[str, tuple[int, ...]]) -> _Bound:
        if self._bound and self._built.request.options["cuda_graph"]:
            raise RunError(
                "cannot feed another shape",
                why=f"a CUDA graph was captured for {dict(self._built.request.shapes)}",
                mend="leave out ort.cuda_graph, or build the engine for another batch",
            )
        spec = self._built.graph.spec
        sizes = {
            dim: size
            for name, tensor in spec.inputs.items()
            for dim, size in zip(tensor.shape, shapes[name], strict=True)
            if isinstance(dim, str)
        }
        binding = self._session.io_binding()
        inputs = {
            name: self._tensor(value, shapes[name], binding.bind_input)
            for name, value in self._values(self._session.get_inputs()).items()
        }
        outputs = {
            name: self._tensor(value, _resolved(name, spec, sizes), binding.bind_output)
            for name, value in self._values(self._session.get_outputs()).items()
        }
        return _Bound(inputs, outputs, binding)

    def _tensor(self, value: Any, shape: tuple[int, ...], bind: Callable[..., None]) -> Any:
        import torch

        tensor = torch.empty(shape, dtype=self._type(value), device=self._built.request.device)
        bind(
            name=value.name,
            device_type="cuda",
            device_id=tensor.device.index,
            element_type=torch.empty(0, dtype=tensor.dtype).numpy().dtype.type,
            shape=tuple(tensor.shape),
            buffer_ptr=tensor.data_ptr(),
        )
        return tensor

    def _type(self, value: Any) -> Any:
        import torch

        return getattr(torch, TYPES[value.type])

    def _shape(self, feeds: Arrays, name: str) -> tuple[int, ...]:
        if name not in feeds:
            raise RunError(
                f"cannot feed {name}",
                why=f"the feeds are {', '.join(feeds) or 'empty'}",
                mend="feed every input by its name",
            )
        return tuple(feeds[name].shape)

    @staticmethod
    def _values(values: Any) -> dict[str, Any]:
        return {value.name: value for value in values}


def _uses_tf32(options: Mapping[str, Mapping[str, str]]) -> bool:
    """Return whether products may be computed in TF32; TensorRT's provider always allows it."""
    return TENSORRT in options or options.get(CUDA, {}).get("use_tf32") == "1"


def _resolved(name: str, spec: ModelSpec, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return an output's shape: its memory is taken before the session knows it."""
    unknown = [dim for dim in spec.outputs[name].shape if isinstance(dim, str) and dim not in sizes]
    if unknown:
        raise RunError(
            f"cannot take memory for {name}",
            why=f"no input has its dimension {', '.join(unknown)}",
            mend="write its size in the model's decorator, or leave ort out on a GPU",
        )
    return spec.outputs[name].resolved(sizes)
