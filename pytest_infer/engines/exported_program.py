"""A module that torch.export has traced as one graph, for one batch or for all of its spec's."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.torch_runner import examples, refuse_failing
from pytest_infer.errors import BuildError
from pytest_infer.graphs.dynamic_dims import dynamic_shapes, trace_shapes
from pytest_infer.models.spec import BATCH, Dim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from pytest_infer.engines.protocol import BuildRequest
    from pytest_infer.graphs.graph import Graph
    from pytest_infer.models.spec import ModelSpec

DYNAMIC_BATCH = "dynamic_batch"


def exported_program(module: nn.Module, graph: Graph, request: BuildRequest) -> Any:
    """Return the exported program, traced strictly: what cannot be one graph is an error.

    Its dynamic dimensions, the batch above all, are free within the spec's bounds if the option
    ``dynamic_batch`` is set.
    """
    import torch

    traced = trace_request(graph.spec, request)
    dims = dynamic_shapes(graph.spec) if request.options[DYNAMIC_BATCH] else None
    export = partial(torch.export.export, module, dynamic_shapes=dims, strict=True)
    try:
        return export(examples(graph, traced))
    except Exception:  # noqa: BLE001 - the second attempt raises what is left of it
        refuse_failing(module, graph, request)
    try:  # what the first call sets up is there now (transformers' hooks, under a lock)
        return export(examples(graph, traced))
    except Exception as error:
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
    """Return the request in whose shapes to trace: the same, unless dimensions stay dynamic."""
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


def batch_bounds(spec: ModelSpec) -> Dim:
    """Return the batches that the spec allows."""
    return spec.dims.get(BATCH, Dim())
