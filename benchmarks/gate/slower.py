"""Nets that are really slower than their originals: some more layers, the same answer.

An engine host imports this file, as it does a user's own ``conftest.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from pytest_infer import model
from pytest_infer.models.families import imagenet
from pytest_infer.models.registry import find

if TYPE_CHECKING:
    from torch import Tensor

WIDTH = 32


class Slower(nn.Module):
    """A classifier, and beside it convolutions whose result moves no logit by more than rounding.

    It is added and not multiplied by zero, so that no compiler drops it.
    """

    def __init__(self, inner: nn.Module, layers: int) -> None:
        super().__init__()
        self.inner = inner
        stem = nn.Conv2d(3, WIDTH, 3, stride=4, padding=1)
        more = [nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in range(layers - 1)]
        self.more = nn.Sequential(stem, *more)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.inner(image)
        return logits + 1e-9 * torch.tanh(self.more(image).mean(dim=(1, 2, 3)))[:, None]


def _slower(name: str, layers: int) -> nn.Module:
    from pytest_infer.models.weights import load_module

    inner = load_module(find(name), "seeded")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(layers)
        return Slower(inner, layers).eval()


def _register(name: str, layers: int) -> None:
    def create() -> nn.Module:
        return _slower(name, layers)

    create.__name__ = f"{name}_slower{layers}"
    find_preprocess = find(name).preprocess
    model(
        task="classification",
        inputs=imagenet.INPUTS,
        outputs=imagenet.OUTPUTS,
        preprocess=find_preprocess,
        postprocess=imagenet.postprocess,
    )(create)


LAYERS = {"efficientnet_b0": (1,), "mobilenet_v2": (1, 3), "resnet50": (1, 4, 12)}

for _name, _counts in LAYERS.items():
    for _layers in _counts:
        _register(_name, _layers)
