"""The net by whose duration a gated engine's is divided.

It is frozen: a change to it, or to its weights, makes every stored ratio worthless. It has what
convolutional nets and transformers spend their time on, in some milliseconds of one core:
convolutions that compute (3x3), that read much for what they compute (depthwise), and a matrix that
is read from memory (33 MB in fp32, more than most caches hold).
"""

from __future__ import annotations

from torch import Tensor, nn

CHANNELS = 64
WIDE = 2048
CLASSES = 4096


class ReferenceNet(nn.Module):
    """An image (batch, 3, 112, 112) -> scores (batch, 4096)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _layer(3, CHANNELS, kernel=3, stride=2)
        self.dense = nn.Sequential(*(_layer(CHANNELS, CHANNELS, kernel=3) for _ in range(2)))
        self.depthwise = nn.Sequential(*(_separable(CHANNELS) for _ in range(2)))
        self.widen = _layer(CHANNELS, WIDE, kernel=1, stride=8)
        self.classifier = nn.Linear(WIDE, CLASSES)

    def forward(self, image: Tensor) -> Tensor:
        """Return the scores."""
        features = self.depthwise(self.dense(self.stem(image)))
        scores: Tensor = self.classifier(self.widen(features).mean(dim=(2, 3)))
        return scores


def _layer(
    inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def _separable(channels: int) -> nn.Sequential:
    return nn.Sequential(
        _layer(channels, channels, kernel=3, groups=channels),
        _layer(channels, channels, kernel=1),
    )
