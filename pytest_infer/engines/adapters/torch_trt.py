"""Torch-TensorRT: an exported program whose parts are TensorRT engines, with torch around them."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_infer.devices.device import Device
from pytest_infer.devices.fingerprint import runtime_fingerprint
from pytest_infer.engines.adapters.trt.versions import DISTRIBUTIONS
from pytest_infer.engines.missing import missing_gpu
from pytest_infer.engines.protocol import Evidence, Missing
from pytest_infer.engines.setting import EngineOption
from pytest_infer.engines.torch_runner import TorchRunner, examples, refuse_failing
from pytest_infer.errors import BuildError, InferError, LoadError, load_mend
from pytest_infer.graphs.graph import GraphRequest
from pytest_infer.graphs.module import module_from_graph
from pytest_infer.graphs.node_precisions import NO_FRACTIONS
from pytest_infer.graphs.torch_dtypes import DTYPES, torch_dtype

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pytest_infer.case import Precision
    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Engine
    from pytest_infer.graphs.graph import Graph

FILE = "program.pt2"
FACTS_FILE = "facts.json"

NAME = "torch-tensorrt"
LEAST_VERSION = (2, 10)
"""From here on networks are strongly typed unless one asks for the contrary."""

ENGINE_CALL = "tensorrt.execute_engine"
"""The operator, as a graph's node names it, that runs a TensorRT engine."""

PLUMBING = ("getitem", "aten.sym_size", "aten._assert")
"""What the names of nodes contain that compute nothing."""

OPTIONS = {
    "min_block_size": EngineOption(
        default=1,
        help="the fewest operators in a row that become a TensorRT engine; the rest is torch's",
        least=1,
    ),
    "optimization_level": EngineOption(
        default="3",
        help="how long to look for fast kernels: 0 builds soonest, 5 searches longest",
        choices=("0", "1", "2", "3", "4", "5"),
    ),
    "workspace_mib": EngineOption(
        default=4096, help="the most scratch memory that a kernel may ask for, in MiB", least=1
    ),
    "require_full_compilation": EngineOption(
        default=False, help="fail to build if anything would be left to torch"
    ),
}

MISSING_MEND = "pip install 'pytest-infer[torch-trt]'"


class TorchTensorRt:
    """Runs a program that Torch-TensorRT has compiled ahead of time at the case's shapes.

    Networks are strongly typed: the model and its inputs are cast to the precision. The setting
    ``enabled_precisions`` is not used; 2.10 to 2.12 refuse it there, later ones ignore it.
    """

    name = "torch-trt"
    libraries = (NAME, *DISTRIBUTIONS, "torch")
    builds_files = True
    options: Mapping[str, EngineOption] = OPTIONS
    precisions: Mapping[str, tuple[Precision, ...]] = {"cuda": ("fp32", "bf16", "fp16")}

    def missing(self, device: str) -> Missing | None:
        """Return why Torch-TensorRT cannot run here; without a GPU, nothing else matters."""
        if lack := missing_gpu():
            return lack
        if not Device.named(device).is_gpu:
            return Missing(
                f"Torch-TensorRT needs an NVIDIA GPU, and the device is {device}",
                "--infer-device=cuda",
            )
        if find_spec("torch_tensorrt") is None:
            return Missing("torch_tensorrt is not installed", MISSING_MEND)
        version = runtime_fingerprint((NAME,)).get(NAME, "")
        if version and _numbers(version) < LEAST_VERSION:
            return Missing(f"{NAME} {version} is older than 2.10", MISSING_MEND)
        return None

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return a module: torch.export traces the model's code."""
        del request
        return GraphRequest("module")

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Export the module on the device, compile the program and save it."""
        try:
            import torch
            import torch_tensorrt

            torch.cuda.set_device(torch.device(request.device).index or 0)
            module = module_from_graph(graph).to(request.device, torch_dtype(request.precision))
            inputs = examples(graph, request)
            program = _exported(module, graph, request)
            compiled = torch_tensorrt.compile(
                program, ir="dynamo", arg_inputs=inputs, **_settings(request)
            )
            torch_tensorrt.save(
                compiled, str(folder / FILE), output_format="exported_program", arg_inputs=inputs
            )
            facts = {
                "torch_tensorrt": torch_tensorrt.__version__,
                "nodes": len(_computing(program.graph.nodes)),
            }
        except InferError:
            raise
        except Exception as error:
            raise BuildError(
                f"cannot build {graph.spec.name} for torch-trt in {request.precision}",
                why=f"{type(error).__name__}: {error}",
                mend="make forward() exportable by torch.export.export, or see which operators "
                "Torch-TensorRT names",
            ) from error
        (folder / FACTS_FILE).write_text(json.dumps(facts))
        return facts

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[TorchTensorRtRunner]:
        """Load the saved program onto its GPU, which becomes the process's current one."""
        path = built.path(FILE)
        try:
            import torch
            import torch_tensorrt

            torch.cuda.set_device(torch.device(built.request.device).index or 0)
            program = torch_tensorrt.load(str(path))
            facts = json.loads(built.path(FACTS_FILE).read_text())
            runner = TorchTensorRtRunner(program, built, nodes=facts["nodes"])
        except Exception as error:
            raise LoadError(
                f"cannot load {path}",
                why=f"{type(error).__name__}: {error}",
                mend=load_mend(
                    "see whether the GPU has memory left, and whether this process has another "
                    "TensorRT"
                ),
            ) from error
        yield runner


class TorchTensorRtRunner(TorchRunner):
    """A loaded program, whose graph shows what TensorRT runs and what torch runs."""

    def __init__(self, program: Any, built: BuiltEngine, *, nodes: int) -> None:
        super().__init__(program.module(), built)
        self._nodes = list(program.graph.nodes)
        self._exported_nodes = nodes

    def evidence(self) -> Evidence:
        """Return the types of what engines and torch compute, and TensorRT's share of the nodes."""
        engines = [node for node in self._nodes if _is_engine_call(node)]
        left = [node for node in _computing(self._nodes) if not _is_engine_call(node)]
        types = Counter(str(dtype).removeprefix("torch.") for dtype in _dtypes(self._nodes))
        dtype, count = types.most_common(1)[0] if types else ("", 0)
        names = {dtype: name for name, dtype in DTYPES.items() if name != "tf32"}
        return Evidence(
            precision=names.get(dtype) or _unnamed(dtype, self._nodes),
            device=super().evidence().device,
            precision_share=count / types.total() if types else 0.0,
            device_share=self._share(len(left)) if engines else 0.0,
            # Nothing left may be chance; something left proves that not everything was demanded.
            proven={"require_full_compilation": False} if left else {},
            details={
                "engines": len(engines),
                "nodes_left_to_torch": len(left),
                "nodes_exported": self._exported_nodes,
                "operators_left_to_torch": sorted({str(node.target) for node in left}),
                "values": dict(types),
            },
        )

    def _share(self, left: int) -> float:
        """Return the share of the exported nodes that torch does not run.

        What happens inside an engine cannot be seen. Lowering replaces nodes before it
        divides the graph, so that the share is exact at nothing and at everything only.
        """
        return max(0.0, 1 - left / self._exported_nodes) if self._exported_nodes else 0.0


def _exported(module: Any, graph: Graph, request: BuildRequest) -> Any:
    import torch

    try:
        return torch.export.export(module, examples(graph, request))
    except Exception:
        refuse_failing(module, graph, request)
        raise


def _settings(request: BuildRequest) -> dict[str, Any]:
    import torch

    options = request.options
    return {
        "device": torch.device(request.device),
        "disable_tf32": True,
        "min_block_size": int(options["min_block_size"]),
        "optimization_level": int(options["optimization_level"]),
        "workspace_size": int(options["workspace_mib"]) << 20,
        "require_full_compilation": bool(options["require_full_compilation"]),
    }


def _computing(nodes: Iterable[Any]) -> list[Any]:
    """Return the nodes that call a function which computes values."""
    return [
        node
        for node in nodes
        if node.op == "call_function" and not any(name in str(node.target) for name in PLUMBING)
    ]


def _is_engine_call(node: Any) -> bool:
    return node.op == "call_function" and ENGINE_CALL in str(node.target)


def _dtypes(nodes: Iterable[Any]) -> Iterator[Any]:
    """Yield the floating type of every value that a computing node returns."""
    return (dtype for dtype in _all_dtypes(nodes) if dtype.is_floating_point)


def _all_dtypes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in _computing(nodes):
        value = node.meta.get("val")
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if getattr(each, "dtype", None) is not None:
                yield each.dtype


def _unnamed(dtype: str, nodes: Iterable[Any]) -> str:
    """Return what is said of values that are in none of our precisions."""
    if not dtype and any(True for _ in _all_dtypes(nodes)):
        return NO_FRACTIONS
    return f"unknown: the graph's values are {dtype or 'untyped'}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


ENGINE: Engine = TorchTensorRt()
