"""PyTorch eager mode: the model's own code, which is also every other engine's reference.

Of a model that is an ONNX file the code is the file, computed node by node.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.cuda_graph import CUDA_GRAPH, OPTION
from pytest_infer.engines.fake_quantization import fake_quantize
from pytest_infer.engines.missing import missing_torch
from pytest_infer.engines.onnx_runner import OnnxRunner
from pytest_infer.engines.protocol import Missing
from pytest_infer.engines.setting import EngineOption
from pytest_infer.engines.short_products import AS_NOISE, shorten_products
from pytest_infer.engines.torch_runner import (
    BENCHMARK,
    CUDNN_BENCHMARK,
    TorchRunner,
    is_tuned_when_opened,
)
from pytest_infer.errors import RunError
from pytest_infer.graphs.graph import GraphRequest
from pytest_infer.graphs.module import module_from_graph
from pytest_infer.graphs.torch_dtypes import torch_dtype
from pytest_infer.models.own_code import own_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from pytest_infer.case import OptionValue, Precision
    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Engine, Runner
    from pytest_infer.graphs.graph import Graph


class Eager:
    """Runs the model's module as it is, converted to the dtype of the precision."""

    name = "eager"
    libraries = ("torch",)
    modules = ("torch",)
    builds_files = False
    options: Mapping[str, EngineOption] = {
        "sparse": EngineOption(
            default=False, help="prune weights to 2:4, as trt.sparse does, to see what that costs"
        ),
        OPTION: CUDA_GRAPH,
        BENCHMARK: CUDNN_BENCHMARK,
    }
    precisions: Mapping[str, tuple[Precision, ...]] = {
        "cpu": ("fp64", "fp32", "bf16", "fp16"),
        "cuda": ("fp64", "fp32", "tf32", "bf16", "fp16"),
    }

    def missing(self, device: str) -> Missing | None:
        """Return why torch cannot run here."""
        return missing_torch(device)

    def profile_options(
        self, options: Mapping[str, OptionValue]
    ) -> Mapping[str, OptionValue] | Missing:
        """Return the settings as they are: a module takes what its code does."""
        if options[OPTION]:
            return Missing("a CUDA graph has one shape", f"leave {self.name}.{OPTION} out")
        return options

    def tunes_when_opened(self, request: BuildRequest) -> bool:
        """Return whether cuDNN chooses convolutions while a CUDA graph is captured."""
        return is_tuned_when_opened(request)

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return a module, pruned if that is asked for: eager mode is the model's code."""
        return GraphRequest("module", is_pruned=bool(request.options.get("sparse", False)))

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Write nothing: eager mode runs the model's code with the weights of its graph."""
        del graph, request, folder
        return {}

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[Runner]:
        """Create the module, load its weights and move it to the device."""
        if built.graph.spec.onnx is not None:
            yield OnnxRunner(built)
            return
        yield runner_of(module_from_graph(built.graph), built)


class EagerRunner(TorchRunner):
    """A user's module; what it raises names the line of the user's file."""

    def _run(self, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        with own_code(f"run {self._built.graph.spec.name}", "forward", RunError):
            return super()._run(inputs)


def runner_of(module: nn.Module, built: BuiltEngine) -> EagerRunner:
    """Return the runner of a module, which is moved to the device and converted.

    For a noise floor it is rounded as int8 or TF32 would; in int8 eager has no other use.
    """
    request = built.request
    if request.precision == "int8":
        fake_quantize(module)
    elif request.precision == "tf32" and request.options.get(AS_NOISE):
        shorten_products(module)
        built = replace(built, request=replace(request, precision="fp32"))
    return EagerRunner(module.to(request.device, torch_dtype(request.precision)), built)


ENGINE: Engine = Eager()
