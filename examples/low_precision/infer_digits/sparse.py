"""2:4 sparsity: two of every four weights along the inputs are zero, and the rest is trained on."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn
from torch.nn.utils import prune

from infer_digits.training import train

GROUP, KEPT = 4, 2


def sparse(module: nn.Module, epochs: int = 4) -> nn.Module:
    """Return a copy of a trained network that is pruned to 2:4 and trained on, in eval mode.

    The pruned weights stay zero (Mishra et al. 2021, arXiv 2104.08378). Layers whose inputs are no
    multiple of four keep all of theirs.
    """
    found = deepcopy(module).train()
    layers = [each for each in found.modules() if isinstance(each, (nn.Conv2d, nn.Linear))]
    prunable = [layer for layer in layers if layer.weight.shape[1] % GROUP == 0]
    for layer in prunable:
        prune.custom_from_mask(layer, "weight", mask(layer.weight))
    train(found, epochs, rate=1e-3)
    for layer in prunable:
        prune.remove(layer, "weight")
    return found.eval()


def mask(weight: torch.Tensor) -> torch.Tensor:
    """Return ones at the two greatest magnitudes of each four inputs, zeros elsewhere."""
    rows = weight.detach().movedim(1, -1)
    groups = rows.reshape(-1, GROUP)
    kept = groups.abs().topk(KEPT, dim=1).indices
    return torch.zeros_like(groups).scatter_(1, kept, 1).reshape(rows.shape).movedim(-1, 1)
