"""Prune weights to 2:4, the sparsity that GPUs' sparse tensor cores take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

GROUP = 4
"""Weights are pruned in groups of this many along the inputs."""

KEPT = 2
"""So many weights of a group remain."""

_PROJECTIONS = ("q_proj", "k_proj", "v_proj")


def prune(module: nn.Module) -> None:
    """Set the smaller two of every four weights along the inputs to zero, in place.

    It is done in convolutions, linear layers and the projections of attention whose inputs are a
    multiple of four, as by magnitude in Mishra et al. 2021, arXiv 2104.08378; without the training
    that would follow it.
    """
    import torch

    for layer in module.modules():
        for weight in _weights(layer):
            if _is_prunable(weight):
                with torch.no_grad():
                    weight.copy_(pruned(weight))


def _weights(layer: nn.Module) -> list[Tensor]:
    """Return a layer's own matrices and filters, outputs x inputs x ..."""
    from torch import nn

    if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)):
        return [layer.weight]
    if isinstance(layer, nn.MultiheadAttention):
        own = (getattr(layer, f"{name}_weight") for name in ("in_proj", *_PROJECTIONS))
        return [weight for weight in own if weight is not None]
    return []


def pruned(weight: Tensor) -> Tensor:
    """Return ``weight`` (outputs x inputs x ...) with two of every four inputs zero."""
    import torch

    rows = weight.movedim(1, -1)
    groups = rows.reshape(-1, GROUP)
    kept = groups.abs().topk(KEPT, dim=1).indices
    mask = torch.zeros_like(groups).scatter_(1, kept, 1)
    return (groups * mask).reshape(rows.shape).movedim(-1, 1)


def _is_prunable(weight: Tensor) -> bool:
    return int(weight.shape[1]) % GROUP == 0
