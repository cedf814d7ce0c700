"""torch.export and AOTInductor: the module compiled into a package that runs without its code."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from pytest_infer.cuda_graph import CUDA_GRAPH, OPTION, refuse_cpu, tensors_of
from pytest_infer.engine import GraphRequest, Missing
from pytest_infer.engine_option import EngineOption
from pytest_infer.errors import BuildError, LoadError
from pytest_infer.spec import Dim
from pytest_infer.torch_runner import (
    TorchRunner,
    arithmetic,
    check_shapes,
    examples,
    missing_torch,
    torch_dtype,
)
from pytest_infer.weights import module_from_graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor, nn

    from pytest_infer.engine import Arrays, BuildRequest, BuiltEngine, Engine, Evidence, Graph
    from pytest_infer.spec import ModelSpec, OptionValue, Precision

FILE = "module.pt2"
FACTS = "facts.json"

MODES = {"default": "default", "max-autotune": "max-autotune-no-cudagraphs"}
"""Inductor's name of each mode.

Its other ones differ in CUDA graphs alone, which AOTInductor leaves to the caller, or compile
next to nothing (``lite``).
"""

TRACE_BATCH = 2
"""An example batch of 1 would be baked into the graph as a constant."""

CONSTANT_DTYPE = re.compile(r"constants_info_\[\d+\]\.dtype = .*cached_torch_dtype_(\w+)")
"""How the package's source declares the type of a weight."""


class Compile:
    """Runs a package that AOTInductor has compiled from the exported module."""

    name = "compile"
    libraries = ("torch", "triton")
    builds_files = True
    options: Mapping[str, EngineOption] = {
        "mode": EngineOption("default", "how long Inductor searches for kernels", tuple(MODES)),
        "dynamic_batch": EngineOption(default=False, help="compile for every batch of the spec"),
        OPTION: CUDA_GRAPH,
    }
    precisions: Mapping[str, tuple[Precision, ...]] = {
        "cpu": ("fp32", "bf16", "fp16"),
        "cuda": ("fp32", "tf32", "bf16", "fp16"),
    }

    def missing(self, device: str) -> Missing | None:
        """Return why torch cannot run or compile here."""
        if lack := missing_torch(device) or _missing_compiler():
            return lack
        return _missing_cuda_headers() if device.startswith("cuda") else None

    def lack(self, precision: Precision, device: str) -> Missing | None:
        """Return why nothing runs on a GPU for now."""
        del precision
        if not device.startswith("cuda"):
            return None
        return Missing(
            "a package ended the process by a segmentation fault when it was loaded on an H200 "
            "(torch 2.11.0+cu130), which is not understood yet",
            "--infer-device=cpu, or --engine=torchscript",
        )

    def graph_request(self, request: BuildRequest) -> GraphRequest:
        """Return a module: exporting runs the model's code."""
        del request
        return GraphRequest("module")

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Export the module on the device as one graph, compile it, and note what was counted."""
        refuse_cpu(graph, request, self.name)
        from torch._dynamo.utils import counters

        module = module_from_graph(graph).to(request.device, torch_dtype(request.precision))
        counters.clear()
        with arithmetic(request.precision):
            exported = _exported(module, graph, request)
            _refuse_breaks(graph, counters["graph_break"])
            _compile(exported, graph, request, folder / FILE)
            facts = _facts(counters)
        (folder / FACTS).write_text(json.dumps(facts))
        return facts

    @contextmanager
    def open(self, built: BuiltEngine) -> Iterator[CompileRunner]:
        """Load the package onto the device."""
        import torch

        path, device = built.path(FILE), torch.device(built.request.device)
        try:
            package = torch._inductor.aoti_load_package(  # noqa: SLF001 - its documented name
                str(path),
                # Its guard against parallel calls records events, which a capture refuses.
                run_single_threaded=bool(built.request.options[OPTION]),
                device_index=-1 if device.index is None else device.index,
            )
            facts = json.loads(built.path(FACTS).read_text())
            weight_dtypes = weight_dtypes_of(path)
        except Exception as error:
            raise LoadError(
                f"cannot load {path}",
                why=f"{type(error).__name__}: {error}",
                mend="remove the folder, and it is built again",
            ) from error
        yield CompileRunner(package, built, weight_dtypes, facts)


class CompileRunner(TorchRunner):
    """A compiled package, called with named arrays in the shapes for which it was compiled."""

    def __init__(
        self, package: Any, built: BuiltEngine, weight_dtypes: set[str], facts: Mapping[str, Any]
    ) -> None:
        self._package = package
        self._facts = facts
        # The package's own call parses the signature each time; its loader's takes flat tensors.
        super().__init__(lambda *inputs: package.loader.run(list(inputs)), built, weight_dtypes)

    def evidence(self) -> Evidence:
        """Return a torch module's evidence, and what the build counted and the package says."""
        found = super().evidence()
        metadata = self._package.get_metadata()
        return replace(
            found,
            precision=_precision(found.precision, allowed_tf32=self._facts["allows_tf32"]),
            proven={
                **found.proven,
                "mode": "max-autotune" if self._facts["autotuned"] else "default",
                **self._dynamic_batch(),
            },
            details={**found.details, **self._facts, "compiled_for": metadata},
        )

    def _inputs(self, feeds: Arrays) -> list[Tensor]:
        is_dynamic = self._built.request.options["dynamic_batch"]
        check_shapes(self._built, feeds, free=("batch",) if is_dynamic else ())
        return super()._inputs(feeds)

    def _dynamic_batch(self) -> dict[str, OptionValue]:
        """Return whether one row more in gives one row more out.

        A package for one shape ignores that row. A larger batch than the spec allows is not tried.
        """
        spec, request = self._built.graph.spec, self._built.request
        batch = _batch(spec, request)
        if batch is None or batch >= _bounds(spec).max:
            return {}
        larger = replace(request, shapes=spec.input_shapes(batch + 1))
        with arithmetic(request.precision):
            try:
                outputs = tensors_of(self._module(*examples(self._built.graph, larger)))
            except RuntimeError:
                return {"dynamic_batch": False}
        rows = [
            value.shape[tensor.shape.index("batch")]
            for value, tensor in zip(outputs, spec.outputs.values(), strict=True)
            if "batch" in tensor.shape
        ]
        return {"dynamic_batch": set(rows) == {batch + 1}}


def weight_dtypes_of(path: Path) -> set[str]:
    """Return the floating types of the weights, as the source in the package declares them."""
    with ZipFile(path) as package:
        names = [name for name in package.namelist() if name.endswith("wrapper.cpp")]
        source = "\n".join(package.read(name).decode() for name in names)
    if not names:
        raise ValueError("the package has no wrapper.cpp, which declares the weights")
    return {name for name in CONSTANT_DTYPE.findall(source) if "float" in name}


def _missing_compiler() -> Missing | None:
    """Return what is absent if Inductor would find no C++ compiler, looking where it looks."""
    command = os.environ.get("CXX", "g++")
    if shutil.which(next(iter(shlex.split(command)), "")):
        return None
    return Missing(
        f"AOTInductor compiles C++, and there is no compiler {command!r}",
        "apt-get install g++, or name another compiler: CXX=clang++",
    )


def _missing_cuda_headers() -> Missing | None:
    """Return what is absent if torch would find no CUDA toolkit, looking where it looks."""
    named = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    if named or shutil.which("nvcc") or os.path.exists("/usr/local/cuda"):  # noqa: PTH110 - as torch
        return None
    return Missing(
        "AOTInductor compiles against CUDA's headers, and there is no CUDA toolkit",
        "install the toolkit of torch's CUDA version, and set CUDA_HOME to its folder",
    )


def _exported(module: nn.Module, graph: Graph, request: BuildRequest) -> Any:
    """Return the exported program, traced strictly: what cannot be one graph is an error."""
    import torch

    dims, traced = _dynamic_dims(graph, request)
    try:
        return torch.export.export(
            module, examples(graph, traced), dynamic_shapes=dims, strict=True
        )
    except Exception as error:
        raise BuildError(
            f"cannot export {graph.spec.name} for compile",
            why=f"{type(error).__name__}: {error}",
            mend="make forward() exportable by torch.export.export(strict=True) as one graph"
            + (", or leave dynamic_batch out" if dims else ""),
        ) from error


def _dynamic_dims(graph: Graph, request: BuildRequest) -> tuple[Any, BuildRequest]:
    """Return the dynamic dimensions of each input, None without any, and what to trace with."""
    import torch

    if not request.options["dynamic_batch"]:
        return None, request
    spec = graph.spec
    bounds = _bounds(spec)
    batch = _batch(spec, request)
    if batch is None or not bounds.min <= batch <= bounds.max:
        raise BuildError(
            f"cannot build {spec.name} for compile with a dynamic batch",
            why=f"its spec's batches are {bounds.min} to {bounds.max}, and the case's is {batch}"
            if batch
            else "no input of its spec has a dimension called batch",
            mend="choose a batch within the bounds, widen them in the model's decorator, or leave "
            "dynamic_batch out",
        )
    dim = torch.export.Dim("batch", min=bounds.min, max=bounds.max)
    dims = tuple(
        {axis: dim for axis, name in enumerate(tensor.shape) if name == "batch"}
        for tensor in spec.inputs.values()
    )
    size = max(TRACE_BATCH, bounds.min)
    return dims, replace(request, shapes=spec.input_shapes(size))


def _refuse_breaks(graph: Graph, breaks: Mapping[str, int]) -> None:
    if breaks:
        raise BuildError(
            f"{graph.spec.name} has {sum(breaks.values())} graph breaks",
            why="\n".join(sorted(breaks)),
            mend="remove from forward() what cannot be traced",
        )


def _compile(exported: Any, graph: Graph, request: BuildRequest, path: Path) -> None:
    import torch

    mode = torch._inductor.list_mode_options(MODES[str(request.options["mode"])])  # noqa: SLF001
    # What an earlier build has measured would be neither measured again nor counted.
    configs = {**mode, "autotune_local_cache": False}
    try:
        torch._inductor.aoti_compile_and_package(  # noqa: SLF001 - its documented name
            exported, package_path=str(path), inductor_configs=configs
        )
    except Exception as error:
        lack = _missing_compiler()
        raise BuildError(
            f"cannot compile {graph.spec.name} for compile in {request.precision}",
            why=f"{type(error).__name__}: {error}",
            mend=lack.mend if lack else "see what the compiler says, or use another mode",
        ) from error


def _facts(counters: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Return what Dynamo and Inductor have counted, and the flags under which they compiled."""
    import torch

    tuned = ("select_algorithm_autotune", "coordesc_tuning_bench")
    backends = torch.backends
    return {
        "graphs": counters["stats"]["unique_graphs"],
        "graph_breaks": sum(counters["graph_break"].values()),
        "autotuned": sum(counters["inductor"][name] for name in tuned),
        "allows_tf32": backends.cuda.matmul.allow_tf32 and backends.cudnn.allow_tf32,
    }


def _precision(ran: str, *, allowed_tf32: bool) -> str:
    """Return what ran, unless it was compiled for another arithmetic of the same type."""
    compiled = "tf32" if allowed_tf32 else "fp32"
    if ran in {"fp32", "tf32"} and ran != compiled:
        return f"compiled for {compiled}, run as {ran}"
    return ran


def _batch(spec: ModelSpec, request: BuildRequest) -> int | None:
    """Return the case's batch, if an input has one."""
    for name, tensor in spec.inputs.items():
        if "batch" in tensor.shape:
            return request.shapes[name][tensor.shape.index("batch")]
    return None


def _bounds(spec: ModelSpec) -> Dim:
    return spec.dims.get("batch", Dim())


ENGINE: Engine = Compile()
