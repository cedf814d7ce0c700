"""A module's outputs read off what it returns: names, dtypes, and which sizes follow which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.forward import arguments_of
from pytest_infer.models.own_code import own_code
from pytest_infer.models.returned import Returned, returned_from
from pytest_infer.models.spec import BATCH, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from pytest_infer.models.spec import Dim

    Sizes = Mapping[str, int]
    Shapes = Mapping[str, Sequence[int]]

SEED = 0


def read_outputs(
    module: nn.Module,
    model: str,
    inputs: Mapping[str, TensorSpec],
    dims: Mapping[str, Dim],
    wanted: Callable[[Sequence[str]], Sequence[str]] = tuple,
) -> dict[str, TensorSpec]:
    """Return what a module returns for drawn inputs, called once, and once more per dimension.

    ``wanted`` chooses among the tensors that have names. A dimension of an output that has the
    size of an input's in each call has its name; one that changes otherwise has a name of its own.
    Raise `ModelError` for a module that fails, or returns no tensor.
    """
    sizes = {name: _two_sizes(name, dim) for name, dim in dims.items()}
    base = {name: two[0] for name, two in sizes.items()}
    call = _Call(module, model, inputs)
    first = call(base)
    names = list(wanted(list(first.tensors)) if first.is_named else first.tensors)
    if not names:
        raise ModelError(
            f"forward of {model} returned no tensor",
            why=f"it returned {', '.join(first.others) or 'an empty container'}",
            mend="return a tensor, or a tuple, dict or dataclass of tensors",
        )
    shapes = {name: tuple(first.tensors[name].shape) for name in names}
    varied = {
        dim: {name: tuple(each.shape) for name, each in call({**base, dim: two[1]}).tensors.items()}
        for dim, two in sizes.items()
    }
    return {
        _output(name, inputs, first): TensorSpec(
            tuple(
                _dimension(name, axis, size, varied, sizes)
                for axis, size in enumerate(shapes[name])
            ),
            str(first.tensors[name].dtype).removeprefix("torch."),
        )
        for name in names
    }


@dataclass(frozen=True)
class _Call:
    module: Any
    model: str
    inputs: Mapping[str, TensorSpec]

    def __call__(self, sizes: Sizes) -> Returned:
        """Return what the module returns for drawn inputs of ``sizes``."""
        import torch

        arguments = arguments_of(self.module.forward, list(self.inputs), self.model)
        feeds = {name: torch.from_numpy(_drawn(each, sizes)) for name, each in self.inputs.items()}
        told = ", ".join(f"{name}={size}" for name, size in sizes.items())
        doing = f"run {self.model} at {told or 'its shapes'}"
        with own_code(doing, "forward"), torch.inference_mode():
            return returned_from(arguments.call(self.module, feeds))


def _drawn(tensor: TensorSpec, sizes: Sizes) -> Any:
    import numpy as np

    from pytest_infer.models.drawn_values import draw

    return draw(tensor, tensor.resolved(sizes), np.random.default_rng(SEED))


def _two_sizes(name: str, dim: Dim) -> tuple[int, int]:
    """Return two sizes of a dimension: the least batches but 1, others far from each other."""
    sizes = dim.sizes
    if name == BATCH:
        rows = [size for size in sizes[:3] if size > 1] or [dim.min]
        return rows[0], rows[-1]
    greater = [size for size in sizes if dim.opt < size <= 2 * dim.opt]
    return dim.opt, greater[-1] if greater else dim.min


def _dimension(
    name: str,
    axis: int,
    size: int,
    varied: Mapping[str, Shapes],
    sizes: Mapping[str, tuple[int, int]],
) -> int | str:
    """Return the size of an output's dimension, or the name of what it follows."""
    others = {dim: shapes[name][axis] for dim, shapes in varied.items()}
    changed = [dim for dim, other in others.items() if other != size]
    if not changed:
        return size
    (dim, *more) = changed
    follows = not more and (size, others[dim]) == sizes[dim]
    if follows and (dim != BATCH or axis == 0):
        return dim
    return f"{name}_{axis}".replace(".", "_")


def _output(name: str, inputs: Mapping[str, TensorSpec], returned: Returned) -> str:
    """Return an output's name; without one of its own, it is none of an input's."""
    return f"{name}_out" if name in inputs and not returned.is_named else name
