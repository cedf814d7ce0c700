"""The inputs of a model read off an example of them: names, shapes, dtypes, ranges of integers."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.spec import BATCH, Dim, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.arrays import Array

    Axes = Mapping[str, Mapping[int, str]]
    Inputs = dict[str, TensorSpec]

_IN_ORDER = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def inputs_from_example(
    example: Any, forward: Callable[..., Any], dynamic: Axes, model: str
) -> tuple[Inputs, dict[str, Dim]]:
    """Return the inputs that ``example`` is one of, and the bounds of their dimensions.

    ``example`` is a tensor or array, a tuple of them in the order of forward's parameters, a dict
    by its parameters' names, or a function that returns one of these. ``dynamic`` names the axes
    that may have other sizes; without it the first of every input is the batch, if all agree.
    Integers are drawn from the range that the example has. Raise `ModelError` for anything else.
    """
    arrays = _arrays(example() if callable(example) else example, forward, model)
    axes = _axes(arrays, dynamic, model)
    inputs = {name: _tensor(array, axes.get(name, {})) for name, array in arrays.items()}
    sizes = {
        dim: arrays[name].shape[axis] for name, dims in axes.items() for axis, dim in dims.items()
    }
    return inputs, {dim: _around(size) for dim, size in sizes.items() if dim != BATCH}


def _arrays(value: Any, forward: Callable[..., Any], model: str) -> dict[str, Array]:
    """Return the example's arrays by name; what is None is an input that is left out."""
    if not isinstance(value, Mapping):
        values = value if isinstance(value, (tuple, list)) else (value,)
        value = dict(zip(_names(forward, len(values)), values, strict=False))
    return {name: _array(name, each, model) for name, each in value.items() if each is not None}


def _names(forward: Callable[..., Any], count: int) -> list[str]:
    """Return the names of forward's first parameters; those of ``*args`` are numbered."""
    try:
        parameters = signature(forward).parameters.values()
        names = [each.name for each in parameters if each.kind in _IN_ORDER]
    except (TypeError, ValueError):  # a compiled TorchScript method
        names = [each.name for each in forward.schema.arguments[1:]]  # type: ignore[attr-defined]
    return [*names, *(f"input_{number}" for number in range(len(names), count))][:count]


def _array(name: str, value: Any, model: str) -> Array:
    import numpy as np

    detach = getattr(value, "detach", None)
    try:
        found = np.asarray(detach().cpu().numpy() if detach else value)
    except (TypeError, ValueError):  # a list of tensors, a sparse tensor
        found = np.asarray(None)
    if found.dtype.hasobject:
        kind = "sparse tensor" if getattr(value, "is_sparse", False) else type(value).__name__
        raise ModelError(
            f"cannot use the example of {model}",
            why=f"{name} is a {kind}, and an engine takes tensors",
            mend="give one tensor or array for each input; write a module around one that takes "
            "lists or dicts of them",
        )
    return found


def _axes(arrays: Mapping[str, Array], dynamic: Axes, model: str) -> Axes:
    """Return the names of the dynamic axes, those counted from the end by their numbers."""
    firsts = {each.shape[0] if each.ndim else None for each in arrays.values()}
    is_batched = len(firsts) == 1 and None not in firsts
    named_batch = any(BATCH in axes.values() for axes in dynamic.values())
    found: dict[str, dict[int, str]] = {
        name: {0: BATCH} if is_batched and not named_batch else {} for name in arrays
    }
    for name, axes in dynamic.items():
        for axis, dim in axes.items():
            if name not in arrays or not -arrays[name].ndim <= axis < arrays[name].ndim:
                raise ModelError(
                    f"the example of {model} has no axis {axis} of an input {name!r}",
                    why=f"it has {', '.join(f'{key}{each.shape}' for key, each in arrays.items())}",
                    mend="name in dynamic= an input, and an axis that it has",
                )
            found[name][axis % arrays[name].ndim] = dim
    return found


def _tensor(array: Array, axes: Mapping[int, str]) -> TensorSpec:
    shape = tuple(axes.get(axis, size) for axis, size in enumerate(array.shape))
    if array.dtype.kind not in "iu" or not array.size:
        return TensorSpec(shape, str(array.dtype))
    return TensorSpec(shape, str(array.dtype), int(array.min()), int(array.max()))


def _around(size: int) -> Dim:
    """Return bounds around an example's size."""
    return Dim(max(1, size // 2), size, max(2 * size, 2))
