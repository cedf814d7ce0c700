"""The spec of a draft: what its source says of the inputs, and what a call says of the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.created import created_by
from pytest_infer.models.declaration import check_declaration, dims_of
from pytest_infer.models.example import read_outputs
from pytest_infer.models.example_inputs import inputs_from_example
from pytest_infer.models.spec import Dim, ModelSpec, TensorSpec

if TYPE_CHECKING:
    from pytest_infer.models.draft import Asked


@dataclass(frozen=True)
class Said:
    """What a source says of its model without running it."""

    inputs: Mapping[str, TensorSpec]
    task: str = "tensor"
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
    module = (
        created_by(create, asked.name)
        if wishes.outputs is None or wishes.example is not None
        else None
    )
    if wishes.example is not None:
        said = _from_example(asked, said, module)
    inputs = {**said.inputs, **(wishes.inputs or {})}
    if not inputs:
        raise _no_inputs(asked)
    dims = dims_of(inputs, wishes.dims, said.dims)
    outputs = wishes.outputs
    if outputs is None:
        outputs = read_outputs(module, asked.name, inputs, dims, said.wanted)
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


def spec_of_function(asked: Asked, create: Callable[..., Any]) -> ModelSpec:
    """Return the spec of the model that a function creates, which has none of its own."""
    follows = "pretrained" in signature(create).parameters
    choice = {"pretrained": False} if follows else {}
    return spec_of(
        asked, Said({}), partial(create, **choice), default_weights="seeded" if follows else ""
    )


def _from_example(asked: Asked, said: Said, module: Any) -> Said:
    wishes = asked.wishes
    inputs, dims = inputs_from_example(wishes.example, module.forward, wishes.dynamic, asked.name)
    return replace(said, inputs={**said.inputs, **inputs}, dims={**said.dims, **dims})


def _no_inputs(asked: Asked) -> ModelError:
    return ModelError(
        f"cannot tell the inputs of {asked.name}",
        why=f"{asked.place or asked.source} says nothing of them",
        mend="give example= or inputs=, or state them on the command line: "
        "--infer-input='image:float32[batch,3,224,224]'",
    )
