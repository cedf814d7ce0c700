"""A small classifier with what these engines must fuse: convolutions, norms and a residual."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer import TensorSpec, model

if TYPE_CHECKING:
    from torch import nn


@model(
    task="classification",
    inputs={"image": TensorSpec(("batch", 3, 32, 32))},
    outputs={"logits": TensorSpec(("batch", 10))},
)
def small() -> nn.Module:
    """Return a network of two blocks, the second one depthwise and residual."""
    import torch
    from torch import nn

    class Residual(nn.Module):
        def __init__(self, *layers: nn.Module) -> None:
            super().__init__()
            self.branch = nn.Sequential(*layers)

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return features + self.branch(features)

    torch.manual_seed(0)
    depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU6()),
        Residual(depthwise, nn.BatchNorm2d(16), nn.ReLU6(), nn.Conv2d(16, 16, 1)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)),
    ).eval()
