"""A module that torch.export has traced as one graph, for one batch or for all of its spec's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.torch_runner import examples, refuse_failing
from pytest_infer.errors import BuildError
from pytest_infer.models.spec import Dim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from pytest_infer.engines.protocol import BuildRequest, Graph
    from pytest_infer.models.spec import ModelSpec

BATCH = "batch"
DYNAMIC_BATCH = "dynamic_batch"

TRACE_BATCH = 2
"""An example size of 1 would be baked into the graph as a constant."""


def exported_program(module: nn.Module, graph: Graph, request: BuildRequest) -> Any:
    """Return the exported program, traced strictly: what cannot be one graph is an error.

    Its dynamic dimensions, the batch above all, are free within the spec's bounds if the option
    ``dynamic_batch`` is set.
    """
    import torch

    traced = trace_request(graph.spec, request)
    dims = dynamic_shapes(graph.spec) if request.options[DYNAMIC_BATCH] else None
    try:
        return torch.export.export(
            module, examples(graph, traced), dynamic_shapes=dims, strict=True
        )
    except Exception as error:
        refuse_failing(module, graph, request)
        raise BuildError(
            f"cannot export {graph.spec.name} for compile",
            why=f"{type(error).__name__}: {error}",
            mend="make forward() exportable by torch.export.export(strict=True) as one graph"
            + (", or leave dynamic_batch out" if dims else ""),
        ) from error


def refuse_breaks(graph: Graph, breaks: Mapping[str, int]) -> None:
    """Raise `BuildError` if ``breaks``, Dynamo's counts by reason, has any."""
    if breaks:
        raise BuildError(
            f"{graph.spec.name} has {sum(breaks.values())} graph breaks",
            why="\n".join(sorted(breaks)),
            mend="remove from forward() what cannot be traced",
        )


def trace_request(spec: ModelSpec, request: BuildRequest) -> BuildRequest:
    """Return the request in whose shapes to trace: the same, unless dimensions are to be free."""
    if not request.options[DYNAMIC_BATCH]:
        return request
    bounds = batch_bounds(spec)
    batch = batch_of(spec, request)
    if batch is None or not bounds.min <= batch <= bounds.max:
        raise BuildError(
            f"cannot build {spec.name} for compile with a dynamic batch",
            why=f"its spec's batches are {bounds.min} to {bounds.max}, and the case's is {batch}"
            if batch
            else "no input of its spec has a dimension called batch",
            mend="choose a batch within the bounds, widen them in the model's decorator, or leave "
            "dynamic_batch out",
        )
    return replace(request, shapes=trace_shapes(spec))


def trace_shapes(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Return shapes to trace a spec's dynamic dimensions with: the least batch, others at optimum.

    None is of `TRACE_BATCH` - 1, where the bounds allow more.
    """
    sizes = {
        name: _traced_size(dim, dim.min if name == BATCH else dim.opt)
        for name, dim in spec.dims.items()
    }
    return {name: tensor.resolved(sizes) for name, tensor in spec.inputs.items()}


def _traced_size(dim: Dim, wanted: int) -> int:
    least = max(wanted, TRACE_BATCH)
    return next((size for size in dim.sizes if size >= least), dim.max)


def batch_of(spec: ModelSpec, request: BuildRequest) -> int | None:
    """Return the case's batch, if an input has one."""
    for name, axes in batch_axes(spec).items():
        if axes:
            return request.shapes[name][axes[0]]
    return None


def batch_axes(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Return which axes of each input are the batch."""
    return {
        name: tuple(axis for axis, dim in enumerate(tensor.shape) if dim == BATCH)
        for name, tensor in spec.inputs.items()
    }


def dynamic_axes(spec: ModelSpec) -> dict[str, dict[int, str]]:
    """Return the name of each dynamic axis of each input."""
    return {
        name: {axis: dim for axis, dim in enumerate(tensor.shape) if isinstance(dim, str)}
        for name, tensor in spec.inputs.items()
    }


def dynamic_shapes(spec: ModelSpec) -> tuple[tuple[dict[int, Any], ...]]:
    """Return torch.export's dynamic dimensions of a `SpecModule`, whose inputs are ``*inputs``."""
    dims = {name: _torch_dim(name, dim) for name, dim in spec.dims.items()}
    return (
        tuple(
            {axis: dims[dim] for axis, dim in axes.items()} for axes in dynamic_axes(spec).values()
        ),
    )


def _torch_dim(name: str, dim: Dim) -> Any:
    """Return torch.export's dimension of a spec's."""
    import torch

    if dim.multiple == 1:
        return torch.export.Dim(name, min=dim.min, max=dim.max)
    part = torch.export.Dim(f"_{name}", min=dim.min // dim.multiple, max=dim.max // dim.multiple)
    return dim.multiple * part


def batch_bounds(spec: ModelSpec) -> Dim:
    """Return the batches that the spec allows."""
    return spec.dims.get(BATCH, Dim())
