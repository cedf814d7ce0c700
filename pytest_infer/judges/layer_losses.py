"""What int8 loses in each layer, and which layers are worth leaving in fp32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_LAYERS = 40
"""Layers that are kept, those that lose most; a graph may have hundreds."""

MOST_SHARE = 0.1
"""Of a graph's layers that may be left out: the rest is what int8 was asked for."""

LEAST_SAVED = 0.1
"""Of the loss: leaving out layers that save less is not advised."""

NEARLY_ALL = 0.75
"""Of what the best number of left-out layers saves: the fewest that save so much are advised."""


@dataclass(frozen=True)
class LayerLoss:
    """What the outputs lose if only this layer is in int8, as a relative L2."""

    node: str
    operator: str
    tensor: str
    loss: float


@dataclass(frozen=True)
class Int8Loss:
    """What a quantized graph loses against fp32, and where."""

    together: float
    """All layers in int8: the root mean square of the outputs' relative L2."""
    layers: Sequence[LayerLoss]
    """Those that lose most first, `MOST_LAYERS` of them."""
    count: int
    """How many there are."""
    without: Sequence[float]
    """What is left without the worst one, the worst two, and so on."""
    leave_out: Sequence[str] = field(default_factory=tuple)
    """The nodes to leave unquantized."""


def ordered(layers: Sequence[LayerLoss]) -> list[LayerLoss]:
    """Return the layers, the one that loses most first."""
    return sorted(layers, key=lambda each: -each.loss)


def most_left_out(count: int) -> int:
    """Return how many of ``count`` layers may be left out, at least one."""
    return max(1, int(MOST_SHARE * count))


def int8_loss(together: float, layers: Sequence[LayerLoss], without: Sequence[float]) -> Int8Loss:
    """Return the loss with the fewest nodes to leave out that save `NEARLY_ALL` that can be.

    None where even the best number of them saves less than `LEAST_SAVED`.
    """
    worst = ordered(layers)
    saved = [together - loss for loss in without]
    most = max(saved, default=0.0)
    chosen = 0
    if most >= LEAST_SAVED * together:
        chosen = next(n for n, each in enumerate(saved, 1) if each >= NEARLY_ALL * most)
    names = tuple(each.node for each in worst[:chosen])
    return Int8Loss(together, worst[:MOST_LAYERS], len(layers), without, names)
