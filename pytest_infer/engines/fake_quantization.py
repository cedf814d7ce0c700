"""Eager mode as int8 would have it: every product's inputs and weights rounded to 8 bits.

What this loses is the model's own rounding in int8, the noise floor of that precision. It is made
from the module alone, and never from an exported or calibrated file, whose scales may be wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

LEVELS = 255
"""Steps of an unsigned 8-bit number."""

LARGEST = 127
"""The largest signed 8-bit number that has a negative."""


def fake_quantize(module: nn.Module) -> nn.Module:
    """Round the weights of convolutions and linear layers in place, and their inputs when called.

    Weights have a scale per output channel and no zero point; inputs one scale and zero point per
    tensor, over the range of that call (Krishnamoorthi 2018, arXiv 1806.08342). Sums, norms and
    attention stay as they are.
    """
    return with_products(module, weights=_rounded_weights, inputs=_rounded_activations)


def with_products(
    module: nn.Module, *, weights: Callable[[Tensor], Tensor], inputs: Callable[[Tensor], Tensor]
) -> nn.Module:
    """Let convolutions and linear layers have what these make of their weights and first inputs.

    Weights are replaced in place, inputs in each call.
    """
    from torch import nn

    def replaced(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return inputs(given[0]), *given[1:]

    for part in module.modules():
        if isinstance(part, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)):
            part.weight.data = weights(part.weight.data)
            part.register_forward_pre_hook(replaced)
    return module


def _rounded_weights(weights: Tensor) -> Tensor:
    scale = weights.abs().amax(tuple(range(1, weights.ndim)), keepdim=True) / LARGEST
    scale[scale == 0] = 1
    rounded: Tensor = (weights / scale).round() * scale
    return rounded


def _rounded_activations(values: Tensor) -> Tensor:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    scale = (high - low) / LEVELS
    if not scale:
        return values
    zero = round(-low / scale)
    rounded: Tensor = (((values / scale).round() + zero).clamp(0, LEVELS) - zero) * scale
    return rounded
