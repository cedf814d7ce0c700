"""MobileNetV2, written from Table 2 of Sandler et al. 2018 (arXiv 1801.04381)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from pytest_infer.errors import ModelError

_STRIDE = 32
_STEM_CHANNELS = 32
_LAST_CHANNELS = 1280


class _Row(NamedTuple):
    """A row of Table 2; the stride is its first block's, the others' is 1."""

    expansion: int
    channels: int
    blocks: int
    stride: int


_TABLE_2 = (
    _Row(expansion=1, channels=16, blocks=1, stride=1),
    _Row(expansion=6, channels=24, blocks=2, stride=2),
    _Row(expansion=6, channels=32, blocks=3, stride=2),
    _Row(expansion=6, channels=64, blocks=4, stride=2),
    _Row(expansion=6, channels=96, blocks=3, stride=1),
    _Row(expansion=6, channels=160, blocks=3, stride=2),
    _Row(expansion=6, channels=320, blocks=1, stride=1),
)


class MobileNetV2(nn.Module):
    """A classifier of square photographs, (batch, 3, size, size) -> (batch, classes).

    Weights and their order are torchvision's; its state dict fits after renaming by order.
    """

    def __init__(self, n_class: int = 1000, input_size: int = 224, width_mult: float = 1.0) -> None:
        super().__init__()
        _check(n_class, input_size, width_mult)
        channels = rounded(_STEM_CHANNELS * width_mult)
        self.stem = _convolution(3, channels, kernel=3, stride=2)
        blocks = []
        for row in _TABLE_2:
            for index in range(row.blocks):
                wide = rounded(row.channels * width_mult)
                stride = row.stride if index == 0 else 1
                blocks.append(
                    InvertedResidual(channels, wide, stride=stride, expansion=row.expansion)
                )
                channels = wide
        self.blocks = nn.Sequential(*blocks)
        # Section 5.1: a multiplier below 1 leaves the last convolution as it is.
        last = rounded(_LAST_CHANNELS * max(1.0, width_mult))
        self.last = _convolution(channels, last)
        self.pool = nn.AvgPool2d(input_size // _STRIDE)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(last, n_class)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of the classes."""
        features = self.last(self.blocks(self.stem(image)))
        logits: Tensor = self.classifier(self.dropout(self.pool(features).flatten(1)))
        return logits


class InvertedResidual(nn.Module):
    """Table 1's block: widen, filter each channel, narrow without activation, add the input."""

    def __init__(self, channels: int, narrow: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.is_residual = stride == 1 and channels == narrow
        self.expand = _convolution(channels, wide) if expansion > 1 else nn.Identity()
        self.depthwise = _convolution(wide, wide, kernel=3, stride=stride, groups=wide)
        self.project = _convolution(wide, narrow, activated=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the narrowed features, with ``x`` added where the shapes allow it."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.is_residual else y


def rounded(channels: float) -> int:
    """Return the multiple of 8 nearest to ``channels``, but never less than nine tenths of it."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def _convolution(
    channels: int,
    filters: int,
    *,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activated: bool = True,
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(
            channels,
            filters,
            kernel,
            stride=stride,
            padding=kernel // 2,
            groups=groups,
            bias=False,
        ),
        nn.BatchNorm2d(filters),
    ]
    return nn.Sequential(*layers, *([nn.ReLU6()] if activated else []))


def _check(n_class: int, input_size: int, width_mult: float) -> None:
    if input_size < _STRIDE or input_size % _STRIDE:
        below = max(_STRIDE, input_size // _STRIDE * _STRIDE)
        raise ModelError(
            f"cannot create MobileNetV2 for input_size={input_size}",
            why=f"its five strides of 2 divide the input's size by {_STRIDE}",
            mend=f"take a multiple of {_STRIDE}, such as {below} or {below + _STRIDE}",
        )
    if n_class < 1 or width_mult <= 0:
        raise ModelError(
            f"cannot create MobileNetV2 with n_class={n_class}, width_mult={width_mult}",
            why="both must be positive",
            mend="the paper has n_class=1000, and width_mult from 0.35 to 1.4",
        )
