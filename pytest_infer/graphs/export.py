"""Export a module to ONNX, and prove that the file is what was asked for."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ExportError, RunError
from pytest_infer.graphs.dynamic_dims import dynamic_shapes, trace_shapes
from pytest_infer.graphs.facts import opset_of
from pytest_infer.graphs.graph import OPSET
from pytest_infer.graphs.onnx_names import rename_inner_values
from pytest_infer.graphs.torch_dtypes import input_dtype, torch_dtype
from pytest_infer.models.own_code import own_code
from pytest_infer.models.spec import BATCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from torch import nn

    from pytest_infer.graphs.graph import GraphRequest
    from pytest_infer.models.spec import ModelSpec


_FIXED = "specialized it to be a constant"
"""What torch.export says of a dynamic size that the code makes a number of."""
_COLORS = re.compile(r"\x1b\[[0-9;]*m")


def export_onnx(
    module: nn.Module,
    spec: ModelSpec,
    path: Path,
    request: GraphRequest,
    shapes: Mapping[str, Sequence[int]],
) -> None:
    """Write a user's ``module`` to ``path`` with named inputs and outputs, as ``request`` asks.

    The module's weights and inputs are cast to the request's precision. A static file has
    ``shapes``, any other the spec's dynamic dimensions. Below `OPSET` torch's older, tracing
    exporter writes the file: the dynamo exporter would leave the graph at `OPSET` without a word.
    So it does for what only tracing keeps whole (`is_traced`).

    Raise `ExportError` if torch cannot, or if the file's operator set, names or dimensions are not
    the ones asked for.
    """
    import torch

    from pytest_infer.models.spec_module import SpecModule

    dtype = torch_dtype(request.precision)
    sizes = shapes if request.is_static else trace_shapes(spec)
    example = tuple(
        torch.zeros(tuple(sizes[name]), dtype=input_dtype(tensor, dtype))
        for name, tensor in spec.inputs.items()
    )
    signature = signature_of(spec, request, sizes)
    exporter = _exporter(spec, request, is_traced=is_traced(module, spec))
    called = SpecModule(module, spec).to(dtype)
    names = {"input_names": list(spec.inputs), "output_names": list(spec.outputs)}
    try:
        if _has_script(module):  # which the exporter takes as a whole, and not inside another
            called = torch.jit.trace(called, example, check_trace=False)
        write = _write_by_dynamo if exporter["dynamo"] else torch.onnx.export
        write(called, example, path, opset_version=request.opset, **names, **exporter)
    except Exception as error:
        with own_code(f"run {spec.name}", "forward", RunError), torch.inference_mode():
            called(*example)  # if this fails too, the exporter is not to blame
        raise _failed(
            error, spec, f"dynamo={exporter['dynamo']}, opset_version={request.opset}"
        ) from error
    check_graph(path, signature, opset=request.opset)


def _failed(error: Exception, spec: ModelSpec, options: str) -> ExportError:
    """Return what the exporter raised; of a size that tracing fixes, with the line that does it."""
    text = _COLORS.sub("", f"{type(error).__name__}: {error}")
    what, mend = f"cannot export {spec.name} to ONNX", "make the module exportable by torch.onnx."
    head, found, stack = text.partition("User stack:")
    if not found or _FIXED not in head:
        return ExportError(what, why=text, mend=f"{mend}export({options})")
    lines = [line.strip() for line in stack.partition("\n\n")[0].splitlines()]
    place = max((n for n, line in enumerate(lines) if line.startswith("File ")), default=0)
    return ExportError(
        what,
        why="\n".join([head.strip(), *lines[place : place + 2]]),
        mend="take Python's arithmetic and loops over that size out of forward, or state a fixed "
        "one (inputs= or --infer-input)",
    )


def _write_by_dynamo(called: Any, example: tuple[Any, ...], path: Path, **options: Any) -> None:
    """Write a module by torch's newer exporter; above 1.5 GiB its weights lie beside the file.

    Attention is traced as plain products, which changes no operator of the file: the strides of
    the CPU's fused kernel make torch's own decompositions fail (T5, Swin; torch 2.14).

    torch first traces without Dynamo. Where that fixes a size that is to be dynamic, torch goes on
    with the fixed one; it is traced by Dynamo then, which keeps some of them (RT-DETR's batch).
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    shapes = options.get("dynamic_shapes")
    with sdpa_kernel(SDPBackend.MATH):
        program = torch.onnx.export(called, example, **options)
        if shapes and _has_fixed(program.model.graph.inputs, *shapes):
            traced = torch.export.export(called, example, dynamic_shapes=shapes, strict=True)
            program = torch.onnx.export(traced, **options)
    rename_inner_values(program.model)
    program.save(path)


def _has_fixed(inputs: Iterable[Any], shapes: Iterable[Mapping[int, Any]]) -> bool:
    """Return whether an input has a size where ``shapes`` has a dynamic dimension."""
    return any(
        isinstance(value.shape[axis], int)
        for value, axes in zip(inputs, shapes, strict=True)
        for axis in axes
    )


def signature_of(
    spec: ModelSpec, request: GraphRequest, shapes: Mapping[str, Sequence[int]]
) -> ModelSpec:
    """Return ``spec`` as a file that ``request`` describes must have it.

    The name of a dimension that no input has stays: its size follows from the inputs, and is known
    to the file alone.
    """
    if not request.is_static:
        return spec
    inputs = {
        name: replace(tensor, shape=tuple(shapes[name])) for name, tensor in spec.inputs.items()
    }
    sizes = {
        dim: size
        for name, tensor in spec.inputs.items()
        for dim, size in zip(tensor.shape, shapes[name], strict=True)
        if isinstance(dim, str)
    }
    outputs = {
        name: replace(
            tensor,
            shape=tuple(
                sizes.get(dim, dim) if isinstance(dim, str) else dim for dim in tensor.shape
            ),
        )
        for name, tensor in spec.outputs.items()
    }
    return replace(spec, inputs=inputs, outputs=outputs)


def check_graph(path: Path, spec: ModelSpec, *, opset: int) -> None:
    """Raise `ExportError` unless the file has the opset, the names and the dimensions of ``spec``.

    A dimension that is dynamic in the spec must be so in the file, and one that is not must have
    its size, where the file gives one. Without dynamic inputs, nothing need be dynamic.
    """
    import onnx

    is_fixed = not any(isinstance(dim, str) for each in spec.inputs.values() for dim in each.shape)

    graph = onnx.load(path, load_external_data=False)
    found = opset_of(graph)
    if found != opset:
        raise ExportError(
            f"{spec.name} was exported at opset {found} instead of {opset}",
            why="the exporter could not convert the graph and kept its own opset",
            mend=f"ask for opset {found}, or for an exporter that writes opset {opset}",
        )
    for kind, values, specs in (
        ("input", graph.graph.input, spec.inputs),
        ("output", graph.graph.output, spec.outputs),
    ):
        names = [value.name for value in values]
        if names != list(specs):
            raise ExportError(
                f"{spec.name} was exported with other {kind}s than its spec",
                why=f"the file has {names}, the spec {list(specs)}",
                mend="name them in the model's decorator in the order of the module's own",
            )
        for value in values:
            _check_dims(value, specs[value.name].shape, spec.name, is_fixed=is_fixed)


def _check_dims(value: Any, shape: tuple[int | str, ...], model: str, *, is_fixed: bool) -> None:
    dims = value.type.tensor_type.shape.dim
    odd = [
        f"dimension {axis} ({want}) is {dim.dim_value}"
        for axis, (dim, want) in enumerate(zip(dims, shape, strict=False))
        if dim.HasField("dim_value")
        and dim.dim_value != want
        and not (is_fixed and isinstance(want, str))
    ]
    if odd or len(dims) != len(shape):
        raise ExportError(
            f"{model} was exported with other dimensions than its spec",
            why=f"{value.name}: "
            + ("; ".join(odd) or f"{len(dims)} dimensions instead of {len(shape)}"),
            mend="remove Python arithmetic on shapes from forward(), or declare the size as fixed",
        )


def is_traced(module: nn.Module, spec: ModelSpec) -> bool:
    """Return whether only torch's tracing exporter writes a module as it is.

    torch.export takes no TorchScript, and unrolls a recurrent layer for the length that it sees.
    """
    from torch import nn

    has_lengths = any(name != BATCH for name in spec.dims)
    is_recurrent = any(isinstance(part, nn.RNNBase) for part in module.modules())
    return _has_script(module) or (has_lengths and is_recurrent)


def _has_script(module: nn.Module) -> bool:
    from torch import jit

    return any(isinstance(part, jit.ScriptModule) for part in module.modules())


def _exporter(spec: ModelSpec, request: GraphRequest, *, is_traced: bool) -> dict[str, Any]:
    if request.opset >= OPSET and not is_traced:
        dynamic = {} if request.is_static else {"dynamic_shapes": dynamic_shapes(spec)}
        return {"dynamo": True, **dynamic}
    tensors = {} if request.is_static else {**spec.inputs, **spec.outputs}
    return {
        "dynamo": False,
        "dynamic_axes": {
            name: {axis: dim for axis, dim in enumerate(tensor.shape) if isinstance(dim, str)}
            for name, tensor in tensors.items()
        },
    }
