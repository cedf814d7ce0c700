"""What a layer of a graph is called, and what it is made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """A node of a graph by what it puts out first."""

    tensor: str
    node: str
    operator: str
    inputs: tuple[str, ...]
    """Tensors that other nodes compute."""
