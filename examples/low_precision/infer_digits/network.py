"""The network: three convolutions and a linear layer, about 60,000 weights."""

from __future__ import annotations

from torch import nn


def network() -> nn.Module:
    """Return it untrained; it takes ``batch x 1 x 8 x 8`` and gives ``batch x 10`` scores."""
    return nn.Sequential(
        *_block(1, 32),
        *_block(32, 64),
        *_block(64, 64, stride=2),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    )


def _block(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
