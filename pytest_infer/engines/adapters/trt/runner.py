"""Run a deserialized TensorRT engine: its buffers, its shapes, its CUDA graph, its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.engines.adapters.trt.buffer import DTYPES, Buffer
from pytest_infer.engines.adapters.trt.layers import layer_precisions
from pytest_infer.engines.adapters.trt.profile import layer_profiler, layer_times, ran_layers
from pytest_infer.engines.adapters.trt.versions import explained, given, reason
from pytest_infer.engines.feed_check import check_feed
from pytest_infer.engines.protocol import Evidence
from pytest_infer.errors import RunError, TimingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import OptionValue
    from pytest_infer.engines.adapters.trt.layers import LayerPrecisions
    from pytest_infer.engines.protocol import BuildRequest, LayerTimes
    from pytest_infer.graphs.ran_layer import RanLayer

    Shape = tuple[int, ...]

INSPECT_MEND = "remove the built engine's folder, and it is built again by this TensorRT"
RUN_MEND = "give the inputs and shapes that the engine was built for; see the messages"
PROFILE_MEND = "leave out --infer-profile"
CAPTURE_MEND = "leave out trt.cuda_graph: a layer that talks to the host cannot be captured"


@dataclass(frozen=True)
class _Captured:
    """A CUDA graph, and the buffers that it reads and writes, which must live as long."""

    graph: Any
    buffers: tuple[Buffer, ...]


class TensorRtRunner:
    """An engine with one execution context, one set of buffers and one stream.

    The buffers have the shapes of the latest feeds, which the engine's profile must allow.
    """

    def __init__(self, engine: Any, request: BuildRequest, *, allows_tf32: bool) -> None:
        import tensorrt
        import torch

        self._request = request
        self._allows_tf32 = allows_tf32
        self._engine = engine
        self._context = given(engine.create_execution_context(), "create_execution_context")
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = [n for n in names if engine.get_tensor_mode(n) == tensorrt.TensorIOMode.INPUT]
        self._output_names = [name for name in names if name not in inputs]
        self._bounds = {name: _bounds(engine, name) for name in inputs}
        self._stream = torch.cuda.Stream()
        self._captured: _Captured | None = None
        self._allocate({name: tuple(request.shapes[name]) for name in inputs})

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        """Return the named outputs; copies and kernels run on the runner's own stream."""
        import torch

        self._upload(feeds)
        with torch.cuda.stream(self._stream):
            self._launcher()()
            for buffer in self._outputs.values():
                buffer.host.copy_(buffer.device, non_blocking=True)
        self._stream.synchronize()
        return {name: buffer.array() for name, buffer in self._outputs.items()}

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return an asynchronous call on torch's current stream, whose events can time it.

        The runner has one set of buffers: a later `infer` or `bind` replaces the feeds.
        """
        self._upload(feeds)
        self._stream.synchronize()
        return self._launcher()

    def bound_outputs(self, call: Callable[[], object]) -> dict[str, Array]:
        """Return what a bound call writes into the buffers."""
        import torch

        for buffer in self._outputs.values():
            buffer.fill()
        call()
        torch.cuda.synchronize()
        for buffer in self._outputs.values():
            buffer.host.copy_(buffer.device)
        return {name: buffer.array() for name, buffer in self._outputs.items()}

    def evidence(self) -> Evidence:
        """Return the layers' precisions by the inspector, and the device of the outputs."""
        with explained(RunError, "cannot inspect the TensorRT engine", mend=INSPECT_MEND):
            layers = layer_precisions(self._information())
        precision = layers.precision(allows_tf32=self._allows_tf32)
        return Evidence(
            precision=precision,
            device=", ".join(sorted({str(b.device.device) for b in self._outputs.values()})),
            precision_share=layers.share_in(precision),
            proven=self._proven(layers, precision),
            details={
                "layers": dict(layers.counts),
                "products": dict(layers.products),
                "sparse_kernels": layers.sparse_kernels,
                "layers_with_sparse_weights": layers.sparse_weights,
                "tf32_known_from": "kernel names" if layers.kernels_tell_tf32 else "build flags",
                "built_with_tf32_flag": self._allows_tf32,
            },
        )

    def layers(self) -> list[RanLayer]:
        """Return the engine's layers, each with the nodes that were fused into it."""
        return ran_layers(self._information())

    def timed_layers(self, feeds: Arrays, *, warmup: int, calls: int) -> LayerTimes:
        """Return what each layer takes, by TensorRT's profiler; never by a replay of a CUDA graph.

        An enqueue with a profiler reports every layer's time, and is done when it returns.
        """
        with explained(TimingError, "cannot profile the TensorRT engine", mend=PROFILE_MEND):
            profiler = layer_profiler()
            self._upload(feeds)
            self._stream.synchronize()
            self._context.profiler = profiler
            for _ in range(warmup + calls):
                profiler.calls.append({})
                self._enqueue(self._stream.cuda_stream)
                self._stream.synchronize()
        return layer_times(profiler.calls[warmup:], self.layers())

    def close(self) -> None:
        """Free the device memory, torch's cached part of it too."""
        import torch

        self._captured = None
        self._inputs.clear()
        self._outputs.clear()
        self._context = self._engine = None
        torch.cuda.empty_cache()

    def _information(self) -> str:
        """Return the inspector's JSON."""
        import tensorrt

        inspector = self._engine.create_engine_inspector()
        inspector.execution_context = self._context
        return str(inspector.get_engine_information(tensorrt.LayerInformationFormat.JSON))

    def _proven(self, layers: LayerPrecisions, precision: str) -> Mapping[str, OptionValue]:
        """Return the settings that can be seen.

        ``mixed`` only permits fp16 beside int8: without such a layer it cannot be seen there.
        """
        seen: dict[str, OptionValue] = {
            "sparse": layers.sparse_kernels > 0,
            "dynamic_batch": any(low != high for low, high in self._bounds.values()),
            "cuda_graph": self._replays and self._replay_writes(),
        }
        if precision != "int8" or layers.counts.get("fp16"):
            seen["mixed"] = precision == "int8"
        return seen

    @property
    def _replays(self) -> bool:
        return bool(self._request.options["cuda_graph"])

    def _replay_writes(self) -> bool:
        """Return whether a replay of the CUDA graph writes every output."""
        launch = self._launcher()
        for buffer in self._outputs.values():
            buffer.fill()
        launch()
        return all(buffer.has_been_written() for buffer in self._outputs.values())

    def _fit(self, feeds: Arrays) -> None:
        """Give the buffers the shapes of ``feeds``; raise `RunError` if the engine cannot."""
        import torch

        for name, (low, high) in self._bounds.items():
            check_feed(name, feeds, low, high)
            _check_type(name, feeds[name], self._inputs[name].host)
        shapes = {name: feeds[name].shape for name in self._bounds}
        if shapes == self._shapes:
            return
        torch.cuda.synchronize()  # a bound call may still use the old buffers
        with explained(RunError, f"TensorRT does not take the shapes {shapes}", mend=RUN_MEND):
            self._allocate(shapes)

    def _allocate(self, shapes: Mapping[str, Shape]) -> None:
        self._captured = None
        self._shapes: Mapping[str, Shape] = {}
        for name, shape in shapes.items():
            given(self._context.set_input_shape(name, shape), "set_input_shape")
        self._inputs = {name: self._buffer(name) for name in shapes}
        self._outputs = {name: self._buffer(name) for name in self._output_names}
        self._shapes = shapes

    def _buffer(self, name: str) -> Buffer:
        import torch

        shape = tuple(self._context.get_tensor_shape(name))
        kind = self._engine.get_tensor_dtype(name).name
        if min(shape, default=0) < 0 or kind not in DTYPES:
            raise RuntimeError(
                f"{name} has shape {shape} and type {kind}; supported are shapes that follow from "
                f"the inputs' and the types {', '.join(DTYPES)}"
            )
        dtype = getattr(torch, DTYPES[kind])
        device = torch.zeros(shape, dtype=dtype, device=self._request.device)
        given(self._context.set_tensor_address(name, device.data_ptr()), "set_tensor_address")
        return Buffer(device, torch.empty(shape, dtype=dtype, pin_memory=True))

    def _upload(self, feeds: Arrays) -> None:
        import torch

        self._fit(feeds)
        self._stream.wait_stream(torch.cuda.current_stream())  # a bound call may be under way
        with torch.cuda.stream(self._stream):
            for name, buffer in self._inputs.items():
                buffer.host.copy_(torch.tensor(feeds[name]))  # in the engine's own type
                buffer.device.copy_(buffer.host, non_blocking=True)

    def _launcher(self) -> Callable[[], None]:
        """Return what runs the engine on torch's current stream: an enqueue or a replay."""
        import torch

        if self._replays:
            return partial(_replay, self._capture())
        current_stream = torch.cuda.current_stream
        return lambda: self._enqueue(current_stream().cuda_stream)

    def _capture(self) -> _Captured:
        """Return the CUDA graph of a call at the current shapes."""
        if self._captured is None:
            what = "cannot capture the TensorRT engine in a CUDA graph"
            with explained(RunError, what, mend=CAPTURE_MEND):
                graph = self._captured_graph()
            self._captured = _Captured(graph, (*self._inputs.values(), *self._outputs.values()))
        return self._captured

    def _captured_graph(self) -> Any:
        import torch

        # The first call at new shapes does what a capture forbids.
        self._stream.wait_stream(torch.cuda.current_stream())
        self._enqueue(self._stream.cuda_stream)
        self._stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            self._enqueue(self._stream.cuda_stream)
        return graph

    def _enqueue(self, stream: int) -> None:
        try:
            given(self._context.execute_async_v3(stream), "execute_async_v3")
        except Exception as error:
            raise RunError("TensorRT did not run", why=reason(error), mend=RUN_MEND) from error


def _replay(captured: _Captured) -> None:
    try:
        captured.graph.replay()
    except Exception as error:
        raise RunError("TensorRT did not run", why=reason(error), mend=CAPTURE_MEND) from error


def _bounds(engine: Any, name: str) -> tuple[Shape, Shape]:
    """Return the least and the greatest shape of an input: its profile's, or else its own."""
    shape = tuple(engine.get_tensor_shape(name))
    if min(shape, default=0) >= 0:
        return shape, shape
    low, _, high = engine.get_tensor_profile_shape(name, 0)
    return tuple(low), tuple(high)


def _check_type(name: str, feed: Array, host: Any) -> None:
    """Refuse fractions for an input of integers: they would be cut off without a word."""
    if np.issubdtype(feed.dtype, np.floating) and not host.is_floating_point():
        takes = str(host.dtype).removeprefix("torch.")
        raise RunError(
            f"cannot feed {name}",
            why=f"the engine takes {takes}, and the feed is {feed.dtype}",
            mend=f"feed {name} as {takes}",
        )
