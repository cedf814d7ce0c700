"""ResNet-50, the classifier of the TensorRT article (torchvision's, version V2 of the weights)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_infer.models.decorator import model
from pytest_infer.models.families import imagenet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn


def _branch_ends(network: nn.Module) -> Iterable[str]:
    return (name for name, _ in network.named_modules() if name.endswith(".bn3"))


@model(
    task="classification",
    inputs=imagenet.INPUTS,
    outputs=imagenet.OUTPUTS,
    profile=imagenet.PROFILE,
    preprocess=partial(imagenet.preprocess, "resnet50"),
    postprocess=imagenet.postprocess,
    labels=partial(imagenet.labels, "resnet50"),
    seed=imagenet.seed("resnet50", "fc", _branch_ends),
    parameters=25_557_032,
)
def resnet50(pretrained: bool) -> nn.Module:
    """Return torchvision's ResNet-50 (He et al. 2015, arXiv 1512.03385)."""
    from torchvision import models

    network: nn.Module = models.resnet50(weights="DEFAULT" if pretrained else None)
    return network.eval()
