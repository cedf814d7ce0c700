"""The small network on which the contract tries an engine; only hosts import this module."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_infer.models.decorator import model
from pytest_infer.models.spec import TensorSpec

if TYPE_CHECKING:
    from torch import nn


@model(
    inputs={"image": TensorSpec(("batch", 3, 56, 56))},
    outputs={"scores": TensorSpec(("batch", 16)), "features": TensorSpec(("batch", 64, 56, 56))},
)
def contract_cnn() -> nn.Module:
    """Return four convolutions, a linear layer and two named outputs, with fixed weights.

    The convolutions are as large as a ResNet's, and their channels multiples of 8: a compiler that
    chooses by speed, as TensorRT does, has a reason to choose the precision that was asked for.
    """
    import torch

    class ContractCnn(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = (3, 64, 64, 64, 64)
            self.convolutions = torch.nn.ModuleList(
                torch.nn.Conv2d(*channels, 3, padding=1) for channels in pairwise(widths)
            )
            self.linear = torch.nn.Linear(64, 16)

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            features = image
            for convolution in self.convolutions:
                features = torch.relu(convolution(features))
            pooled = torch.nn.functional.max_pool2d(features, 8)  # a long sum would be all error
            return self.linear(pooled.mean(dim=(2, 3))), features

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ContractCnn().eval()
