"""The program that TVM makes of a graph: imported, arranged for the device, compiled and linked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_infer.devices.cpu_flags import cpu_flags
from pytest_infer.engines.torch_runner import examples, refuse_failing
from pytest_infer.graphs.module import module_from_graph
from pytest_infer.graphs.torch_dtypes import torch_dtype

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from pytest_infer.engines.protocol import BuildRequest
    from pytest_infer.graphs.graph import Graph

ROUTES = ("onnx", "export")
"""How a model becomes a Relax program: from an ONNX file, or from torch's exported program."""

CPU_LAYOUT = {"relax.nn.conv2d": ["NHWC", "OHWI"]}
"""Channels last, so that the innermost sum of an unscheduled convolution runs over memory."""

CPU_SUMS = {"fast-math-reassoc": True, "fast-math-contract": True}
"""Let LLVM reorder sums and fuse products into them; or it vectorizes no reduction at all."""


WIDE = ("amx", "avx", "f16c", "fma", "gfni", "vaes", "vpclmulqdq", "xop")
"""How LLVM's names of x86's vector and matrix instructions begin."""


def export_program(graph: Graph, request: BuildRequest, path: Path) -> str:
    """Write the program of ``graph`` as a shared library; return the target it was compiled for.

    It is linked by the machine's C++ compiler.
    """
    import tvm

    program = _IMPORTERS[str(request.options["route"])](graph, request)
    target = _target(request.device)
    if target.kind.name == "llvm":
        program = _arranged_for_cpu(program, target)
    tvm.compile(program, target=target).export_library(str(path))
    return str(target)


def reason(error: Exception) -> str:
    """Return the type of an error of TVM's and the first line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _from_onnx(graph: Graph, request: BuildRequest) -> Any:
    """Return the program in an ONNX file, whose shapes and types are the request's already."""
    del request
    import onnx
    from tvm.relax.frontend.onnx import from_onnx

    return from_onnx(onnx.load(graph.file), keep_params_in_input=False)


def _from_export(graph: Graph, request: BuildRequest) -> Any:
    """Return the program that torch exports from the module, in the request's shapes and types."""
    import torch
    from tvm.relax.frontend.torch import from_exported_program

    on_host = replace(request, device="cpu")  # a program has no device before it is compiled
    module = module_from_graph(graph).to(torch_dtype(request.precision))
    try:
        with torch.no_grad():
            exported = torch.export.export(module, examples(graph, on_host))
    except Exception:
        refuse_failing(module, graph, on_host)
        raise
    return from_exported_program(exported)


_IMPORTERS = {"onnx": _from_onnx, "export": _from_export}


def _target(device: str) -> Any:
    """Return the target that TVM detects on ``device``: for a CPU, its very processor."""
    import tvm

    found = tvm.target.Target.from_device(tvm.device(device))
    if found.kind.name != "llvm":
        return found
    own = {name: found.attrs[name] for name in ("mtriple", "mcpu")}
    named = tvm.target.codegen.llvm_get_cpu_features(found)
    absent = absent_features(map(str, named), cpu_flags())
    return tvm.target.Target({"kind": "llvm", **own, "mattr": absent, **CPU_SUMS})


def absent_features(named: Iterable[str], flags: Collection[str]) -> list[str]:
    """Return, as LLVM turns them off, the instructions that a CPU's name promises and it lacks.

    LLVM knows a CPU by its name, and a virtual machine of that name may hide AVX-512: a program
    for the name alone dies there by SIGILL. ``named`` are LLVM's names, ``flags`` the kernel's.
    """
    present = {flag.replace("_", "") for flag in flags}
    wide = [name for name in named if name.startswith(WIDE) and flags]
    return sorted(f"-{name}" for name in wide if name.replace("-", "") not in present)


def _arranged_for_cpu(program: Any, target: Any) -> Any:
    """Return the program with channels last and its operators fused.

    TVM does both for a GPU or not at all; its build for a CPU runs each operator as it is written.
    """
    import tvm
    from tvm.relax import get_pipeline, transform

    passes = [
        transform.ConvertLayout(CPU_LAYOUT),
        transform.DecomposeOpsForInference(),
        transform.CanonicalizeBindings(),
        get_pipeline("zero"),
    ]
    with target:
        return tvm.transform.Sequential(passes)(program)
