"""The small network on which the contract tries an engine; only hosts import this module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.models import model
from pytest_infer.spec import TensorSpec

if TYPE_CHECKING:
    from torch import nn


@model(
    inputs={"image": TensorSpec(("batch", 3, 16, 16))},
    outputs={"scores": TensorSpec(("batch", 10)), "features": TensorSpec(("batch", 8, 16, 16))},
)
def contract_cnn() -> nn.Module:
    """Return a convolution, a linear layer and two named outputs, with fixed weights."""
    import torch

    class ContractCnn(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = torch.nn.Conv2d(3, 8, 3, padding=1)
            self.linear = torch.nn.Linear(8, 10)

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            features = torch.relu(self.convolution(image))
            return self.linear(features.mean(dim=(2, 3))), features

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ContractCnn().eval()
