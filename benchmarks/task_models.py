"""Small networks of each task with weights of their own, for a benchmark.

python benchmarks/parity_faults.py --model=task_segmenter
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from mixed_models import ANCHORS, CHANNELS, CLASSES, SIDE, Mixed, preprocess
from torch import nn

from pytest_infer import Dim, TensorSpec, Yolo, model

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALL = 96
SEGMENTS = 6
TOKENS, POSITIONS, WIDTH = 211, 24, 32
TARGETS = ("price", "rooms", "risk")
TEXT = {"tokens": TensorSpec(("batch", POSITIONS), "int64", low=0, high=TOKENS - 1)}
DETECTOR = Yolo(SIDE, SIDE, input="image", classes=CLASSES)


def small(photographs: Sequence[Any]) -> dict[str, Any]:
    """Return photographs as small squares between 0 and 1."""
    images = torch.from_numpy(preprocess(photographs)["image"])
    return {"image": nn.functional.interpolate(images, (SMALL, SMALL), mode="area").numpy()}


class Segmenter(nn.Module):
    """Two strides down and a bilinear way up, as LR-ASPP goes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.down = nn.Sequential(*(_block(a, b) for a, b in ((3, 16), (16, 32))))
        self.head = nn.Conv2d(32, SEGMENTS, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, classes, height, width)."""
        logits = self.head(self.down(image))
        return nn.functional.interpolate(logits, scale_factor=4.0, mode="bilinear")


class Encoder(nn.Module):
    """One layer of attention over tokens; an embedding per text, or a token per position."""

    def __init__(self, *, generates: bool) -> None:
        super().__init__()
        torch.manual_seed(3 + generates)
        self.generates = generates
        self.tokens = nn.Embedding(TOKENS, WIDTH)
        self.places = nn.Parameter(torch.randn(POSITIONS, WIDTH))
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, TOKENS if generates else WIDTH)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, positions, tokens), or embeddings (batch, width) of length 1."""
        states = self.tokens(tokens) + self.places
        scores = self.query(states) @ self.key(states).transpose(1, 2) / WIDTH**0.5
        states = self.norm(states + torch.softmax(scores, 2) @ self.value(states))
        if self.generates:
            return self.head(states)
        return nn.functional.normalize(self.head(states.mean(1)), dim=1)


def _block(inputs: int, outputs: int) -> nn.Module:
    norm = nn.BatchNorm2d(outputs)
    layer = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
    nn.init.kaiming_normal_(layer.weight)
    return nn.Sequential(layer, norm, nn.SiLU())


@model(
    task="segmentation",
    inputs={"image": TensorSpec(("batch", 3, SMALL, SMALL))},
    outputs={"logits": TensorSpec(("batch", SEGMENTS, SMALL, SMALL))},
    preprocess=small,
)
def task_segmenter() -> nn.Module:
    """Return the network of masks."""
    return Segmenter().eval()


@model(
    task="embeddings",
    inputs=TEXT,
    outputs={"sentence": TensorSpec(("batch", WIDTH))},
)
def task_embedder() -> nn.Module:
    """Return the network of texts' directions."""
    return Encoder(generates=False).eval()


@model(
    task="text_generation",
    inputs=TEXT,
    outputs={"logits": TensorSpec(("batch", POSITIONS, TOKENS))},
)
def task_generator() -> nn.Module:
    """Return the network of next tokens."""
    return Encoder(generates=True).eval()


@model(
    task="regression",
    inputs={"features": TensorSpec(("batch", 20))},
    outputs={"targets": TensorSpec(("batch", len(TARGETS)))},
    dims={"batch": Dim(max=64)},
    labels=lambda: TARGETS,
)
def task_regressor() -> nn.Module:
    """Return the network of targets whose scales are 1000, 1 and 0.01."""
    torch.manual_seed(5)
    last = nn.Linear(32, len(TARGETS))
    with torch.no_grad():
        last.weight *= torch.tensor([[1000.0], [1.0], [0.01]])
        last.bias *= torch.tensor([1000.0, 1.0, 0.01])
    return nn.Sequential(nn.Linear(20, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), last).eval()


@model(
    task="detection",
    inputs={"image": TensorSpec(("batch", 3, SIDE, SIDE))},
    outputs={"found": TensorSpec(("batch", CHANNELS, ANCHORS))},
    preprocess=DETECTOR.preprocess,
    postprocess=DETECTOR.postprocess,
)
def task_detector() -> nn.Module:
    """Return the detector whose one output has boxes, scores and masks' coefficients."""
    return Mixed(channels_last=False).eval()
