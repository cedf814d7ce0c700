"""Inference libraries, each behind an adapter, and the registry that knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_infer.engines.registry import find, register, registered

__all__ = ["find", "register", "registered"]


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pytest_infer.engines import registry

    return getattr(registry, name)
