"""Models: their registry and specs, their weights and what they are fed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_infer.models.registry import model
    from pytest_infer.models.spec import Dim, Profile, TensorSpec

__all__ = ["Dim", "Profile", "TensorSpec", "model"]


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pytest_infer.models import registry, spec

    return getattr(registry if name == "model" else spec, name)
