"""Run a torch module on named arrays: what every engine made of torch modules shares."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.cuda_graph import OPTION, CudaGraph, tensors_of
from pytest_infer.engines.feed_check import check_feed
from pytest_infer.engines.protocol import Evidence
from pytest_infer.engines.setting import EngineOption
from pytest_infer.errors import RunError
from pytest_infer.graphs.node_precisions import NO_FRACTIONS
from pytest_infer.graphs.torch_dtypes import DTYPES, input_dtype, torch_dtype
from pytest_infer.models.own_code import own_code

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.case import OptionValue, Precision
    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
    from pytest_infer.graphs.graph import Graph

BENCHMARK = "cudnn_benchmark"
CUDNN_BENCHMARK = EngineOption(
    default=False,
    help="cuDNN times its convolutions at the first call, and takes the fastest",
    affects_build=False,
    gpu_only=True,
)
"""The setting of engines whose convolutions are cuDNN's: ``torch.backends.cudnn.benchmark``."""


def is_tuned_when_opened(request: BuildRequest) -> bool:
    """Return whether capturing a CUDA graph calls the module so that cuDNN times convolutions."""
    return bool(request.options.get(BENCHMARK) and request.options.get(OPTION))


def examples(graph: Graph, request: BuildRequest) -> tuple[Tensor, ...]:
    """Return inputs of zeros on the device, in the request's shapes and precision."""
    import torch

    dtype = torch_dtype(request.precision)
    return tuple(
        torch.zeros(
            tuple(request.shapes[name]), device=request.device, dtype=input_dtype(spec, dtype)
        )
        for name, spec in graph.spec.inputs.items()
    )


def refuse_failing(module: Callable[..., Any], graph: Graph, request: BuildRequest) -> None:
    """Raise `RunError` if a module fails in eager mode too: then what traced it is not to blame."""
    with arithmetic(request.precision), own_code(f"run {graph.spec.name}", "forward", RunError):
        module(*examples(graph, request))


@contextmanager
def arithmetic(precision: Precision, *, benchmark: bool = False) -> Iterator[None]:
    """Allow TF32 in matrix products and convolutions for ``tf32`` and for nothing else.

    With ``benchmark`` cuDNN chooses its convolutions by timing them; else as it is set already.
    """
    import torch

    flags = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [flag.allow_tf32 for flag in flags]
    before_benchmark = torch.backends.cudnn.benchmark
    for flag in flags:
        flag.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = benchmark or before_benchmark
    try:
        with torch.inference_mode():
            yield
    finally:
        for flag, value in zip(flags, before, strict=True):
            flag.allow_tf32 = value
        torch.backends.cudnn.benchmark = before_benchmark


class TorchRunner:
    """A module, eager, scripted or compiled, called with named arrays; as a CUDA graph if asked."""

    def __init__(
        self,
        module: Callable[..., Any],
        built: BuiltEngine,
        weight_dtypes: Collection[str] | None = None,
    ) -> None:
        """Take ``weight_dtypes``, torch's names of them, from a module without parameters."""
        self._module = module
        self._built = built
        self._weight_dtypes = _parameter_dtypes(module) if weight_dtypes is None else weight_dtypes
        self._graph = self._captured() if built.request.options.get(OPTION) else None

    def infer(self, feeds: Arrays) -> dict[str, Array]:
        """Return the named outputs as host arrays; bfloat16 as float32, which holds it exactly."""
        with self._arithmetic():
            return _arrays(self._run(self._inputs(feeds)))

    def bind(self, feeds: Arrays) -> Callable[[], object]:
        """Return a call on feeds that are on the device already; asynchronous on a GPU.

        A CUDA graph has one set of buffers: a later `infer` or `bind` replaces the feeds.
        """
        with self._arithmetic():
            inputs = self._inputs(feeds)
            if self._graph is None:
                return partial(self._call, inputs)
            self._graph.load(inputs)
        return self._graph.replay

    def bound_outputs(self, call: Callable[[], object]) -> dict[str, Array]:
        """Return what ``call`` returns, or a CUDA graph leaves in its buffers."""
        with self._arithmetic():
            returned = self._graph.written_by(call) if self._graph else call()
            return _arrays({} if returned is None else self._outputs(returned))

    def evidence(self) -> Evidence:
        """Return the dtypes and devices of weights and of real outputs, and if a graph ran."""
        import torch

        proven: dict[str, OptionValue] = {}
        with self._arithmetic():
            inputs = examples(self._built.graph, self._built.request)
            outputs = self._run(inputs)
            allows_tf32 = torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32
            if BENCHMARK in self._built.request.options:
                proven[BENCHMARK] = self._is_benchmarked and torch.backends.cudnn.benchmark
            if OPTION in self._built.request.options:
                proven[OPTION] = self._graph is not None and self._graph.is_rewriting()
        weight_dtypes = _names(set(self._weight_dtypes))
        output_dtypes = _names(_fractions(outputs.values()))
        devices = _names({value.device for value in outputs.values()})
        precision = _precision(weight_dtypes, output_dtypes, _names(_fractions(inputs)))
        if precision == "fp32" and allows_tf32:
            precision = "tf32"
        return Evidence(
            precision=precision,
            device=devices,
            proven=proven,
            details={
                "weight_dtypes": weight_dtypes or output_dtypes,
                "output_dtypes": _names({value.dtype for value in outputs.values()}),
            },
        )

    def _arithmetic(self) -> AbstractContextManager[None]:
        return arithmetic(self._built.request.precision, benchmark=self._is_benchmarked)

    @property
    def _is_benchmarked(self) -> bool:
        return bool(self._built.request.options.get(BENCHMARK))

    def _captured(self) -> CudaGraph:
        with self._arithmetic():
            return CudaGraph(self._module, examples(self._built.graph, self._built.request))

    def _run(self, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        return self._outputs((self._graph or self._module)(*inputs))

    def _call(self, inputs: list[Tensor]) -> object:
        with self._arithmetic():
            return self._module(*inputs)

    def _inputs(self, feeds: Arrays) -> list[Tensor]:
        import torch

        if self._graph is not None:
            # What was captured for other shapes would take these into its buffers by broadcasting.
            for name, shape in self._built.request.shapes.items():
                check_feed(name, feeds, tuple(shape))
        dtype = torch_dtype(self._built.request.precision)
        tensors = [torch.tensor(feeds[name]) for name in self._built.graph.spec.inputs]
        return [
            value.to(self._built.request.device, dtype if value.is_floating_point() else None)
            for value in tensors
        ]

    def _outputs(self, returned: Any) -> dict[str, Tensor]:
        names = list(self._built.graph.spec.outputs)
        values = tensors_of(returned)
        if len(values) != len(names):
            raise RunError(
                f"{self._built.graph.spec.name} returned {len(values)} outputs",
                why=f"its spec names {len(names)}: {', '.join(names)}",
                mend="name every output in the model's decorator, in order",
            )
        return dict(zip(names, values, strict=True))


def _arrays(outputs: Mapping[str, Tensor]) -> dict[str, Array]:
    import torch

    sparse = [name for name, value in outputs.items() if value.layout != torch.strided]
    if sparse:
        raise RunError(
            f"output {sparse[0]!r} is a sparse tensor",
            why="outputs are compared element by element, and engines put out dense ones",
            mend="return it by .to_dense()",
        )
    return {
        name: (value.float() if value.dtype == torch.bfloat16 else value).cpu().numpy()
        for name, value in outputs.items()
    }


def _precision(weights: str, outputs: str, inputs: str) -> str:
    """Return the precision of floating types; integers and bools have none.

    The inputs' types, to which the runner itself casts, count where nothing else is floating.
    """
    seen = {weights, outputs} - {""} or {inputs} - {""}
    if not seen:
        return NO_FRACTIONS
    name = next((name for name, dtype in DTYPES.items() if seen == {dtype}), "")
    return name or f"weights {weights or 'none'}, outputs {outputs or 'none'}"


def _fractions(tensors: Iterable[Tensor]) -> set[Any]:
    return {value.dtype for value in tensors if value.is_floating_point()}


def _parameter_dtypes(module: Any) -> set[str]:
    return {str(value.dtype) for value in module.parameters() if value.is_floating_point()}


def _names(values: set[Any]) -> str:
    return ", ".join(sorted(str(value).removeprefix("torch.") for value in values))
