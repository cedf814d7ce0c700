"""What a forward returned, as named tensors: of dicts, dataclasses, tuples, nested or not.

Written in the plain Python that torch.export's strict mode can trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

OUTPUT = "output"
"""What a tensor is called that was returned without a name; a tuple's are numbered."""


class Returned(NamedTuple):
    """The tensors of what was returned, in its order, and what else was in it."""

    tensors: dict[str, Any]
    """By name: ``logits``, ``hidden.0`` inside a container, ``output`` or ``output.0`` without."""
    others: dict[str, Any]
    """What is no tensor: None, a number, an object of a library's."""
    is_named: bool
    """The outermost container has names: a dict, a dataclass or a NamedTuple."""


def returned_from(value: Any) -> Returned:
    """Return what ``value``, the result of a forward, holds."""
    import torch

    leaves: dict[str, Any] = {}
    is_named = _is_named(value)
    _collect(value, "" if is_named else OUTPUT, leaves)
    tensors = {name: each for name, each in leaves.items() if isinstance(each, torch.Tensor)}
    others = {name: each for name, each in leaves.items() if name not in tensors}
    return Returned(tensors, others, is_named)


def _collect(value: Any, name: str, leaves: dict[str, Any]) -> None:
    """Add what is in ``value`` to ``leaves``, by names that begin with ``name``."""
    children = _children(value)
    if children is None:
        leaves[name] = value
        return
    for key, child in children.items():
        _collect(child, f"{name}.{key}" if name else str(key), leaves)


def _children(value: Any) -> dict[Any, Any] | None:
    """Return what a container holds by key; None for anything else."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (tuple, list)):
        if hasattr(value, "_fields"):
            return {name: getattr(value, name) for name in value._fields}
        return dict(enumerate(value))
    if value is None or isinstance(value, (int, float, str)):
        return None  # torch 2.10 cannot trace what is asked below of these
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    return None


def _is_named(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return hasattr(value, "_fields")
    return isinstance(value, Mapping) or (is_dataclass(value) and not isinstance(value, type))
