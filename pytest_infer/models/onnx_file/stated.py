"""What a user states of a file's inputs and outputs, held against what the file says."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from pytest_infer.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_infer.models.spec import TensorSpec

    Tensors = Mapping[str, TensorSpec]


def stated(path: Path, kind: str, found: Tensors, wished: Tensors | None) -> dict[str, TensorSpec]:
    """Return what a file has, in its order, with what is stated in its place.

    A dynamic dimension may be given another name, or a size. Raise `ModelError` for a name that
    the file has not, and for a dtype, a rank or a size that are not the file's.
    """
    stated = wished or {}
    for name, tensor in stated.items():
        flaw = _flaw(found[name], tensor) if name in found else _unknown(kind, name, found)
        if flaw:
            raise ModelError(
                f"{kind} {name!r} is stated otherwise than the file has it",
                why=f"{path}: {flaw}",
                mend=f"leave it out of --infer-input or {kind}s=, or state what the file has: "
                f"{_told(found)}",
            )
    return {name: stated.get(name, tensor) for name, tensor in found.items()}


def _flaw(found: TensorSpec, tensor: TensorSpec) -> str:
    if tensor.dtype != found.dtype:
        return f"its dtype is {found.dtype}, not {tensor.dtype}"
    if len(tensor.shape) != len(found.shape):
        return f"it has {len(found.shape)} dimensions, not {len(tensor.shape)}"
    for axis, (has, said) in enumerate(zip(found.shape, tensor.shape, strict=True)):
        if isinstance(has, int) and said != has:
            return f"dimension {axis} is fixed at {has}, not {said!r}"
    return ""


def _unknown(kind: str, name: str, found: Tensors) -> str:
    near = get_close_matches(name, found, n=1)
    owner, dot, _ = name.partition(".")
    model = f", and no model of this run is called {owner!r}" if dot else ""
    return f"it has no {kind} of that name{model}" + (
        f"; did you mean {near[0]!r}?" if near else ""
    )


def _told(found: Tensors) -> str:
    return ", ".join(f"{name} {tensor.dtype}{list(tensor.shape)}" for name, tensor in found.items())
