"""Detectors whose one output has boxes in pixels, scores and masks' coefficients, for a benchmark.

python benchmarks/parity_faults.py --model=mixed_last
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pytest_infer import TensorSpec, model

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDE = 320
STRIDES = (8, 16, 32)
SKIPPED = 2
"""Stages before the first that has a head."""
CLASSES, MASKS = 6, 4
CHANNELS = 4 + CLASSES + MASKS
ANCHORS = sum((SIDE // stride) ** 2 for stride in STRIDES)
IMAGE = {"image": TensorSpec(("batch", 3, SIDE, SIDE))}


def preprocess(photographs: Sequence[Any]) -> dict[str, Any]:
    """Return photographs as squares between 0 and 1."""
    rows = [
        torch.from_numpy(each.copy()).permute(2, 0, 1)[None].float() / 255 for each in photographs
    ]
    squares = [nn.functional.interpolate(each, (SIDE, SIDE), mode="bilinear") for each in rows]
    return {"image": torch.cat(squares).numpy()}


class Mixed(nn.Module):
    """A head as YOLOv5's (centre and size from a sigmoid, grid and stride) on three scales."""

    def __init__(self, *, channels_last: bool) -> None:
        super().__init__()
        self.channels_last = channels_last
        torch.manual_seed(int(channels_last))  # two networks, with different weights
        widths = (8, 16, 32, 64, 64)
        self.stages = nn.ModuleList(
            _stage(a, b) for a, b in zip((3, *widths), widths, strict=False)
        )
        self.heads = nn.ModuleList(nn.Conv2d(width, CHANNELS, 1) for width in widths[SKIPPED:])
        for head in self.heads:
            with torch.no_grad():
                head.bias[4 : 4 + CLASSES] = torch.linspace(-5, 0, CLASSES)
        self.grids = nn.ParameterList(
            nn.Parameter(_grid(SIDE // stride), requires_grad=False) for stride in STRIDES
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return (batch, channels, anchors), or the channels last."""
        features, found = image, []
        for level, stage in enumerate(self.stages, -SKIPPED):
            features = stage(features)
            if level >= 0:
                found.append(self._decoded(features, level).flatten(2))
        out = torch.cat(found, 2)
        return out.transpose(1, 2) if self.channels_last else out

    def _decoded(self, features: torch.Tensor, level: int) -> torch.Tensor:
        raw, stride = self.heads[level](features), STRIDES[level]
        near, scores = raw[:, :4].sigmoid(), raw[:, 4 : 4 + CLASSES].sigmoid()
        centre = (near[:, :2] * 2 - 0.5 + self.grids[level]) * stride
        size = (near[:, 2:] * 2) ** 2 * 4 * stride
        return torch.cat([centre, size, scores, raw[:, 4 + CLASSES :].tanh()], 1)


def _stage(inputs: int, outputs: int) -> nn.Module:
    norm = nn.BatchNorm2d(outputs)
    nn.init.uniform_(norm.weight, 0.8, 1.6)
    nn.init.normal_(norm.bias, 0, 0.3)
    layer = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
    nn.init.kaiming_normal_(layer.weight)
    return nn.Sequential(layer, norm, nn.SiLU())


def _grid(side: int) -> torch.Tensor:
    return torch.stack(torch.meshgrid(*[torch.arange(float(side))] * 2, indexing="xy"))[None]


@model(
    inputs=IMAGE,
    outputs={"found": TensorSpec(("batch", CHANNELS, ANCHORS))},
    preprocess=preprocess,
)
def mixed_first() -> nn.Module:
    """Return the detector whose channels are before its anchors."""
    return Mixed(channels_last=False).eval()


@model(
    inputs=IMAGE,
    outputs={"found": TensorSpec(("batch", ANCHORS, CHANNELS))},
    preprocess=preprocess,
)
def mixed_last() -> nn.Module:
    """Return the detector whose channels are behind its anchors."""
    return Mixed(channels_last=True).eval()
