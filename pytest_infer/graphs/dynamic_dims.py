"""A spec's dynamic dimensions, as torch.export takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.models.spec import BATCH

if TYPE_CHECKING:
    from pytest_infer.models.spec import Dim, ModelSpec


TRACE_BATCH = 2
"""An example size of 1 would be baked into the graph as a constant."""


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
