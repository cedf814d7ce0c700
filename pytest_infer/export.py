"""Export a module to ONNX, and prove that the file is what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from pytest_infer.spec import ModelSpec

OPSET = 18
"""The first operator set that torch's dynamo exporter writes without converting down."""

TRACE_BATCH = 2
"""An example batch of 1 would be baked into the graph as a constant."""


def export_onnx(module: nn.Module, spec: ModelSpec, path: Path, *, opset: int = OPSET) -> None:
    """Write ``module`` to ``path`` with named inputs and outputs and dynamic dimensions.

    Below `OPSET` torch's older, tracing exporter writes the file: the dynamo exporter would leave
    the graph at `OPSET` without a word.

    Raise `ExportError` if torch cannot, or if the file's operator set, names or dynamic
    dimensions are not the ones asked for.
    """
    import torch

    example = tuple(
        torch.zeros(shape, dtype=getattr(torch, spec.inputs[name].dtype))
        for name, shape in spec.input_shapes(TRACE_BATCH).items()
    )
    exporter = _by_dynamo(spec) if opset >= OPSET else _by_tracing(spec)
    try:
        torch.onnx.export(
            module,
            example,
            path,
            opset_version=opset,
            input_names=list(spec.inputs),
            output_names=list(spec.outputs),
            **exporter,
        )
    except Exception as error:
        raise ExportError(
            f"cannot export {spec.name} to ONNX",
            why=f"{type(error).__name__}: {error}",
            mend=f"make the module exportable by torch.onnx.export(dynamo={exporter['dynamo']}, "
            f"opset_version={opset})",
        ) from error
    check_graph(path, spec, opset=opset)


def check_graph(path: Path, spec: ModelSpec, *, opset: int) -> None:
    """Raise `ExportError` unless the file has the opset, the names and the dynamic dimensions."""
    import onnx

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
            _check_dims(value, specs[value.name].shape, spec.name)


def opset_of(graph: Any) -> int:
    """Return the version of the default operator set of a loaded ONNX model."""
    return next(
        int(entry.version) for entry in graph.opset_import if entry.domain in {"", "ai.onnx"}
    )


def _check_dims(value: Any, shape: tuple[int | str, ...], model: str) -> None:
    dims = value.type.tensor_type.shape.dim
    baked = [
        f"dimension {axis} ({want}) is {dim.dim_value}"
        for axis, (dim, want) in enumerate(zip(dims, shape, strict=False))
        if isinstance(want, str) and dim.HasField("dim_value")
    ]
    if baked or len(dims) != len(shape):
        raise ExportError(
            f"{model} was exported without its dynamic dimensions",
            why=f"{value.name}: "
            + ("; ".join(baked) or f"{len(dims)} dimensions instead of {len(shape)}"),
            mend="remove Python arithmetic on shapes from forward(), or declare the size as fixed",
        )


def _by_dynamo(spec: ModelSpec) -> dict[str, Any]:
    return {"dynamo": True, "dynamic_shapes": _dynamic_shapes(spec), "external_data": False}


def _by_tracing(spec: ModelSpec) -> dict[str, Any]:
    tensors = {**spec.inputs, **spec.outputs}
    return {
        "dynamo": False,
        "dynamic_axes": {
            name: {axis: dim for axis, dim in enumerate(tensor.shape) if isinstance(dim, str)}
            for name, tensor in tensors.items()
        },
    }


def _dynamic_shapes(spec: ModelSpec) -> tuple[dict[int, Any], ...]:
    from torch.export import Dim

    dims = {name: Dim(name, min=dim.min, max=dim.max) for name, dim in spec.dims.items()}
    return tuple(
        {axis: dims[dim] for axis, dim in enumerate(tensor.shape) if isinstance(dim, str)}
        for tensor in spec.inputs.values()
    )
