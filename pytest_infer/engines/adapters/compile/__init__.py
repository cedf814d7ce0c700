"""torch.export and Inductor: the module compiled ahead of time, into a package or a program."""

from __future__ import annotations

from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pytest_infer.devices.device import Device
from pytest_infer.engines.adapters.compile import package, program
from pytest_infer.engines.adapters.compile.runner import (
    ARTEFACTS,
    MODES,
    CompileRunner,
    artefact_of,
    default_artefact,
)
from pytest_infer.engines.adapters.compile.toolchain import (
    missing_cuda_headers,
    missing_cxx,
    missing_triton,
)
from pytest_infer.engines.cuda_graph import CUDA_GRAPH, OPTION
from pytest_infer.engines.exported_program import DYNAMIC_BATCH, exported_program, refuse_breaks
from pytest_infer.engines.missing import missing_torch
from pytest_infer.engines.protocol import Missing
from pytest_infer.engines.setting import EngineOption
from pytest_infer.engines.torch_runner import arithmetic
from pytest_infer.errors import BuildError, LoadError, load_mend
from pytest_infer.graphs.graph import GraphRequest
from pytest_infer.graphs.module import module_from_graph
from pytest_infer.graphs.torch_dtypes import torch_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_infer.case import OptionValue, Precision
    from pytest_infer.engines.adapters.compile.runner import Compiled
    from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Engine
    from pytest_infer.graphs.graph import Graph


class Compile:
    """Runs what Inductor has compiled of the exported module."""

    name = "compile"
    libraries = ("torch", "triton")
    modules = ("torch._inductor.codecache",)
    builds_files = True
    builds_slowly = True
    traces_python = True
    options: Mapping[str, EngineOption] = {
        "artefact": EngineOption(
            "auto", "what is built; auto: a package on a CPU, a program on a GPU", ARTEFACTS
        ),
        "mode": EngineOption("default", "how long Inductor searches for kernels", tuple(MODES)),
        DYNAMIC_BATCH: EngineOption(
            default=False, help="compile for every size in the model's bounds"
        ),
        OPTION: CUDA_GRAPH,
    }
    precisions: Mapping[str, tuple[Precision, ...]] = {
        "cpu": ("fp32", "bf16", "fp16"),
        "cuda": ("fp32", "tf32", "bf16", "fp16"),
    }

    def tunes_when_opened(self, request: BuildRequest) -> bool:
        """Return whether opening compiles, which times what the built engine's caches lack."""
        return artefact_of(request) == "program"

    def missing(self, device: str) -> Missing | None:
        """Return why torch cannot run or compile here what is built by default."""
        return missing_torch(device) or _missing_tools(device, default_artefact(device))

    def profile_options(
        self, options: Mapping[str, OptionValue]
    ) -> Mapping[str, OptionValue] | Missing:
        """Return the settings with dynamic dimensions."""
        if options["cuda_graph"]:
            return Missing("a CUDA graph has one shape", f"leave {self.name}.cuda_graph out")
        return {**options, DYNAMIC_BATCH: True}

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return a module: exporting runs the model's code."""
        del request
        return GraphRequest("module")

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Export the module on the device as one graph, compile it, and note what was counted."""
        from torch._dynamo.utils import counters

        module = module_from_graph(graph).to(request.device, torch_dtype(request.precision))
        counters.clear()
        with arithmetic(request.precision):
            exported = exported_program(module, graph, request)
            refuse_breaks(graph, counters["graph_break"])
            return _write(exported, graph, request, folder)

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[CompileRunner]:
        """Load what was built onto the device, compiled."""
        with TemporaryDirectory(prefix="pytest-infer-") as scratch:
            try:
                compiled = _opened(built, scratch)
            except Exception as error:
                raise LoadError(
                    f"cannot load {_file(built)}",
                    why=f"{type(error).__name__}: {error}",
                    mend=load_mend(
                        "see what torch misses: a compiler, a library, or memory on the device"
                    ),
                ) from error
            yield CompileRunner(compiled, built)


def _write(exported: Any, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
    artefact = artefact_of(request)
    try:
        if artefact == "package":
            return package.write_package(exported, request, folder)
        return program.write_program(exported, graph, request, folder)
    except Exception as error:
        lack = _missing_tools(request.device, artefact)
        raise BuildError(
            f"cannot compile {graph.spec.name} for compile in {request.precision}",
            why=f"{type(error).__name__}: {error}",
            mend=lack.mend if lack else "see what the compiler says, or use another mode",
        ) from error


def _opened(built: BuiltEngine, scratch: str) -> Compiled:
    if artefact_of(built.request) == "package":
        return package.opened_package(built)
    return program.opened_program(built, scratch)


def _file(built: BuiltEngine) -> Path:
    is_package = artefact_of(built.request) == "package"
    return built.path(package.FILE if is_package else program.FILE)


def _missing_tools(device: str, artefact: str) -> Missing | None:
    """Return what is absent for compiling: C++ for a CPU, Triton for a GPU, both for a package."""
    if not Device.named(device).is_gpu:
        return missing_cxx()
    if artefact == "package":
        return missing_triton() or missing_cxx() or missing_cuda_headers()
    return missing_triton()


ENGINE: Engine = Compile()
