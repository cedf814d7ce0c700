"""TorchScript: the module traced at the case's shapes, frozen, and saved without its code."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.cuda_graph import CUDA_GRAPH, OPTION
from pytest_infer.engines.missing import missing_torch
from pytest_infer.engines.protocol import Missing
from pytest_infer.engines.torch_runner import (
    BENCHMARK,
    CUDNN_BENCHMARK,
    TorchRunner,
    arithmetic,
    examples,
    is_tuned_when_opened,
    refuse_failing,
)
from pytest_infer.errors import BuildError, LoadError, load_mend
from pytest_infer.graphs.graph import GraphRequest
from pytest_infer.graphs.module import module_from_graph
from pytest_infer.graphs.torch_dtypes import torch_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_infer.case import OptionValue, Precision
    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Engine
    from pytest_infer.engines.setting import EngineOption
    from pytest_infer.graphs.graph import Graph

FILE = "module.pt"


class TorchScript:
    """Runs a traced and frozen module."""

    name = "torchscript"
    libraries = ("torch",)
    modules = ("torch",)
    builds_files = True
    options: Mapping[str, EngineOption] = {OPTION: CUDA_GRAPH, BENCHMARK: CUDNN_BENCHMARK}
    precisions: Mapping[str, tuple[Precision, ...]] = {
        "cpu": ("fp32", "bf16", "fp16"),
        "cuda": ("fp32", "tf32", "bf16", "fp16"),
    }

    def missing(self, device: str) -> Missing | None:
        """Return why torch cannot run here."""
        return missing_torch(device)

    def profile_options(
        self, options: Mapping[str, OptionValue]
    ) -> Mapping[str, OptionValue] | Missing:
        """Return the settings as they are: a traced module computes the sizes of what it is fed."""
        if options["cuda_graph"]:
            return Missing("a CUDA graph has one shape", f"leave {self.name}.cuda_graph out")
        return options

    def tunes_when_opened(self, request: BuildRequest) -> bool:
        """Return whether cuDNN chooses convolutions while a CUDA graph is captured."""
        return is_tuned_when_opened(request)

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return a module: tracing runs the model's code."""
        del request
        return GraphRequest("module")

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Trace the module on the device at the request's shapes, freeze and save it."""
        import torch

        module = module_from_graph(graph).to(request.device, torch_dtype(request.precision))
        try:
            with arithmetic(request.precision):
                traced = torch.jit.trace(module, examples(graph, request), check_trace=False)
                torch.jit.save(torch.jit.freeze(traced), folder / FILE)
        except Exception as error:
            refuse_failing(module, graph, request)
            raise BuildError(
                f"cannot trace {graph.spec.name} for torchscript",
                why=f"{type(error).__name__}: {error}",
                mend="make forward() traceable by torch.jit.trace, or leave torchscript out",
            ) from error
        return {}

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[TorchRunner]:
        """Load the saved module onto the device."""
        import torch

        try:
            module = torch.jit.load(built.path(FILE), map_location=built.request.device)
        except Exception as error:
            raise LoadError(
                f"cannot load {built.path(FILE)}",
                why=f"{type(error).__name__}: {error}",
                mend=load_mend(
                    "see what torch misses: the library of an operator, or memory on the device"
                ),
            ) from error
        yield TorchRunner(module, built)


ENGINE: Engine = TorchScript()
