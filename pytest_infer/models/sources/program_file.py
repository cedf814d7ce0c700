"""``path/to/NAME.pt2``: an exported program, as `torch.export.save` writes it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.declaration import DTYPES
from pytest_infer.models.draft import Parts
from pytest_infer.models.draft_spec import Said, spec_of
from pytest_infer.models.source_kind import FileKind
from pytest_infer.models.spec import BATCH, Dim, TensorSpec

if TYPE_CHECKING:
    from torch import nn

    from pytest_infer.models.draft import Asked, Draft
    from pytest_infer.models.source_kind import SourceKind
    from pytest_infer.models.spec import ModelSpec

_MOST = 64
"""The greatest size that is tried of a dimension, unless its least one is near that."""


class Program(FileKind):
    """Files that hold a module's graph, weights, shapes and bounds."""

    def draft(self, asked: Asked) -> Draft:
        """Return the draft of a file; raise `ModelError` for one that is not there."""
        path = Path(asked.place)
        if not path.is_file():
            raise ModelError(
                f"there is no file {path}",
                why="it does not exist" if not path.exists() else "it is a folder",
                mend="write the path of a file that torch.export.save has written",
            )
        own = Parts(files=lambda: [path])
        return asked.draft(partial(load, path), partial(_spec, asked, path), own)


def load(path: Path) -> nn.Module:
    """Return the module of a program, which takes any floating type.

    The checks of its inputs are left out: they would refuse it in another precision.
    """
    module: nn.Module = _program(path).module(check_guards=False)
    module._forward_pre_hooks.clear()  # noqa: SLF001 - torch has no option for it
    return module


def _program(path: Path) -> Any:
    import torch

    try:
        return torch.export.load(path)
    except Exception as error:
        raise ModelError(
            f"cannot read {path}",
            why=f"torch.export.load raised {type(error).__name__}: {_first_line(error)}",
            mend="write it again with torch.export.save, by this version of torch or an older one",
        ) from error


def _spec(asked: Asked, path: Path) -> ModelSpec:
    program = _program(path)
    inputs, dims = _signature(program, asked.name)
    return spec_of(asked, Said(inputs, dims=dims), partial(load, path))


def _signature(program: Any, model: str) -> tuple[dict[str, TensorSpec], dict[str, Dim]]:
    """Return the inputs of a program with the bounds of their dynamic dimensions."""
    names = program.graph_signature.user_inputs
    values = {node.name: node.meta["val"] for node in program.graph.nodes if node.name in names}
    symbols: dict[str, str] = {}
    inputs = {name: _tensor(name, values[name], symbols, model) for name in names}
    dims = {dim: _dim(program, symbol, is_batch=dim == BATCH) for symbol, dim in symbols.items()}
    return inputs, dims


def _tensor(name: str, value: Any, symbols: dict[str, str], model: str) -> TensorSpec:
    dtype = str(getattr(value, "dtype", type(value).__name__)).removeprefix("torch.")
    if dtype not in DTYPES:
        raise ModelError(
            f"cannot use the input {name!r} of {model}",
            why=f"it is of type {dtype}",
            mend=f"export the module with tensors of: {', '.join(DTYPES)}",
        )
    shape = [_size(name, axis, size, symbols) for axis, size in enumerate(value.shape)]
    return TensorSpec(tuple(shape), dtype)


def _size(name: str, axis: int, size: Any, symbols: dict[str, str]) -> int | str:
    """Return a size, or the name of a dynamic one: the first dimension is the batch."""
    if isinstance(size, int):
        return size
    symbol = str(size)
    if symbol not in symbols:
        is_batch = axis == 0 and BATCH not in symbols.values()
        symbols[symbol] = BATCH if is_batch else f"{name}_{axis}"
    return symbols[symbol]


def _dim(program: Any, symbol: str, *, is_batch: bool) -> Dim:
    """Return the bounds of a symbol, and some sizes of what has no upper bound."""
    found = {str(each): bounds for each, bounds in program.range_constraints.items()}
    bounds = found.get(symbol)
    least = max(int(bounds.lower), 1) if bounds else 1
    upper = _whole(bounds.upper) if bounds else None
    most = max(least * 2, _MOST)
    most = min(upper, most) if upper is not None else most
    return Dim(least, least if is_batch else min(max(least, 16), most), most)


def _whole(bound: Any) -> int | None:
    """Return a bound as a number; None for infinity."""
    try:
        return int(bound)
    except (TypeError, OverflowError, ValueError, AttributeError):
        return None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


KIND: SourceKind = Program(".pt2")
