"""``@model``: what makes a function that creates a module a model of the matrix."""

from __future__ import annotations

from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.declaration import (
    check_declaration,
    check_meaning,
    check_weights,
    dims_of,
)
from pytest_infer.models.draft import Asked, Draft, Unread, Wishes
from pytest_infer.models.draft_spec import spec_of_function
from pytest_infer.models.registry import Model, add, add_function
from pytest_infer.models.source import source_of
from pytest_infer.models.spec import ModelSpec, Profile, TensorSpec
from pytest_infer.models.tasks import TENSOR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt
    from torch import nn

    from pytest_infer.arrays import Arrays
    from pytest_infer.models.evaluation import Evaluation
    from pytest_infer.models.spec import Dim


def model(
    *,
    inputs: Mapping[str, TensorSpec] | None = None,
    outputs: Mapping[str, TensorSpec] | None = None,
    example: Any = None,
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
    task: str = TENSOR,
    dims: Mapping[str, Dim] | None = None,
    profile: Profile | None = None,
    preprocess: Callable[[Sequence[npt.NDArray[Any]]], Arrays] | None = None,
    postprocess: Callable[[Arrays], list[Arrays]] | None = None,
    labels: Callable[[], Sequence[str]] | None = None,
    seed: Callable[[nn.Module, Arrays], None] | None = None,
    calibration: Callable[[], Any] | None = None,
    evaluation: Callable[[], tuple[Any, Any]] | Evaluation | None = None,
    parameters: int = 0,
    weights: str = "",
    is_listed: bool = True,
) -> Callable[[Callable[..., nn.Module]], Callable[..., nn.Module]]:
    """Register the decorated function, which creates a module, as a model of its name.

    A function that takes ``pretrained`` follows ``--infer-weights``, unless ``weights`` says which
    it always has; one without parameters brings its weights. Inputs that all have the name of a
    parameter of the module's forward are given by name, others in order; ``outputs`` are taken by
    name from a dict, a NamedTuple or a dataclass, in order from a tuple. ``dims`` has the bounds of
    each dynamic dimension of an input; a batch has those of `Dim`, unless it is named. A
    ``profile`` names the dimensions that are dynamic where shapes are fuzzed. ``parameters``, about
    how many numbers its weights are, lets checks that are made once per engine choose a small
    model. A model that is not listed is no part of the matrix, and no option or mark can name it.

    ``calibration`` returns the inputs on which int8 is calibrated, instead of photographs;
    ``evaluation`` returns held-out inputs and their labels, by which accuracy is judged. Inputs are
    a dict of arrays by name, or the array of a single one.

    Without ``outputs`` they are read off what the module returns, and so are the inputs off an
    ``example``: tensors as forward takes them (one, a tuple, or a dict by name), or a function that
    returns them. ``dynamic`` names the axes of the example that may have other sizes, as
    ``{"x": {1: "time"}}``; the first axis is the batch. Raise `ModelError` for what no engine
    could be given.
    """
    wishes = Wishes(
        *(task, inputs, outputs, example, dynamic or {}, dims, profile),
        *(preprocess, postprocess, labels, seed, calibration, evaluation),
    )

    def register(create: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        check_weights(_name_of(create), weights, follows=_follows(create))
        if inputs is None or outputs is None:
            _add_function(create, wishes, weights, is_listed=is_listed)
            return create
        spec = ModelSpec(
            name=_name_of(create),
            task=task,
            inputs=inputs,
            outputs=outputs,
            source=source_of(create),
            dims=dims_of(inputs, dims),
            brings_weights=not _follows(create),
            profile=profile,
            parameters=parameters,
        )
        check_declaration(spec)
        check_meaning(spec, has_postprocess=postprocess is not None)
        add(
            Model(
                *(spec, create, preprocess, postprocess, labels, seed, is_listed),
                calibration=calibration,
                evaluation=evaluation,
                weights=weights,
            )
        )
        return create

    return register


def _add_function(
    create: Callable[..., Any], wishes: Wishes, weights: str, *, is_listed: bool
) -> None:
    """Register a function whose spec is read off a call of its module."""
    if wishes.inputs is None and wishes.example is None:
        raise ModelError(
            f"cannot use the model {_name_of(create)}",
            why="nothing says what its inputs are",
            mend="give an example of them: @model(example=lambda: torch.zeros(1, 3, 224, 224)), "
            'or name each: @model(inputs={"x": TensorSpec(("batch", 8))})',
        )
    asked = Asked(_name_of(create), source_of(create), "", wishes)

    def make() -> Draft:
        return asked.draft(create, partial(spec_of_function, asked, create))

    add_function(
        create, Unread(asked.name, asked.source, create.__qualname__, make, is_listed, weights)
    )


def _follows(create: Callable[..., Any]) -> bool:
    """Return whether a function can be told which weights to give its module."""
    return "pretrained" in signature(create).parameters


def _name_of(create: Callable[..., nn.Module]) -> str:
    """Return the name of a function; raise `ModelError` for what has none, and for a class."""
    name = getattr(create, "__name__", None)
    if isinstance(name, str) and not isinstance(create, type):
        return name
    raise ModelError(
        f"cannot register {create!r} as a model",
        why="a class is no function that creates a module" if name else "it has no name",
        mend="decorate a function that returns the module: def net(): return Net().eval()",
    )
