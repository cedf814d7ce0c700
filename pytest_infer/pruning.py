"""Prune weights to 2:4, the sparsity that GPUs' sparse tensor cores take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

GROUP = 4
"""Weights are pruned in groups of this many along the inputs."""

KEPT = 2
"""So many weights of a group remain."""


def prune(module: nn.Module) -> None:
    """Set the smaller two of every four weights along the inputs to zero, in place.

    It is done in convolutions and linear layers whose inputs are a multiple of four, as by
    magnitude in Mishra et al. 2021, arXiv 2104.08378; without the training that would follow it.
    """
    import torch

    for layer in module.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)) and _is_prunable(layer.weight):
            with torch.no_grad():
                layer.weight.copy_(pruned(layer.weight))


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
