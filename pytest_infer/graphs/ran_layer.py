"""What an engine shows of one of its layers: where and how it ran, and what it was made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RanLayer:
    """A layer of a built engine, in the order in which they run."""

    name: str
    operator: str
    place: str
    """Who ran it: a provider of ONNX Runtime, a device."""
    precision: str = ""
    """In what it computed; empty where it computes nothing, or that is not known."""
    covers: tuple[str, ...] = ()
    """Names of the exported graph's nodes, or of their outputs, that were fused into it."""
