"""The spec of a draft: what its source says of the inputs, and what a call says of the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.declaration import check_declaration, dims_of
from pytest_infer.models.example import read_outputs
from pytest_infer.models.spec import Dim, ModelSpec, Task, TensorSpec

if TYPE_CHECKING:
    from pytest_infer.models.draft import Asked


@dataclass(frozen=True)
class Said:
    """What a source says of its model without running it."""

    inputs: Mapping[str, TensorSpec]
    task: Task = "tensor"
    dims: Mapping[str, Dim] = field(default_factory=dict)
    """The bounds of dimensions as far as the source says them."""
    wanted: Callable[[Sequence[str]], Sequence[str]] = tuple
    """Choose the outputs that matter, among the names of those that there are."""


def spec_of(
    asked: Asked, said: Said, create: Callable[[], Any], *, default_weights: str = ""
) -> ModelSpec:
    """Return the spec of a model; ``create`` makes a module of it with any weights.

    ``default_weights`` are what ``--infer-weights`` means unless it is given; a model without any
    brings its own. Raise `ModelError` for wishes that do not fit.
    """
    wishes = asked.wishes
    inputs = _merged(said.inputs, wishes.inputs, asked.name)
    dims = dims_of(inputs, wishes.dims, said.dims)
    outputs = wishes.outputs
    if outputs is None:
        outputs = read_outputs(create(), asked.name, inputs, dims, said.wanted)
    spec = ModelSpec(
        name=asked.name,
        task=wishes.task or said.task,
        inputs=inputs,
        outputs=outputs,
        source=asked.source,
        dims=dims,
        brings_weights=not default_weights,
        default_weights=default_weights or "seeded",
        profile=wishes.profile,
    )
    check_declaration(spec)
    return spec


def _merged(
    said: Mapping[str, TensorSpec], wished: Mapping[str, TensorSpec] | None, model: str
) -> dict[str, TensorSpec]:
    """Return the inputs that the source says, those that a user states in their place."""
    stated = wished or {}
    if said and (unknown := [name for name in stated if name not in said]):
        raise ModelError(
            f"{model} has no input {unknown[0]!r}",
            why=f"its inputs are {', '.join(said)}",
            mend="state what you know of one of these",
        )
    return {**said, **stated}
