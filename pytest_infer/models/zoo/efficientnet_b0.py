"""EfficientNet-B0, the classifier of the Torch-TensorRT article (torchvision's)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_infer.models.decorator import model
from pytest_infer.models.families import imagenet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn


def _branch_ends(network: nn.Module) -> Iterable[str]:
    blocks = network.named_modules()
    return (
        f"{name}.block.{len(block.get_submodule('block')) - 1}.1"
        for name, block in blocks
        if getattr(block, "use_res_connect", False)
    )


@model(
    task="classification",
    inputs=imagenet.INPUTS,
    outputs=imagenet.OUTPUTS,
    profile=imagenet.PROFILE,
    preprocess=partial(imagenet.preprocess, "efficientnet_b0"),
    postprocess=imagenet.postprocess,
    labels=partial(imagenet.labels, "efficientnet_b0"),
    seed=imagenet.seed("efficientnet_b0", "classifier.1", _branch_ends),
    parameters=5_288_548,
)
def efficientnet_b0(pretrained: bool) -> nn.Module:
    """Return torchvision's EfficientNet-B0 (Tan and Le 2019, arXiv 1905.11946)."""
    from torchvision import models

    network: nn.Module = models.efficientnet_b0(weights="DEFAULT" if pretrained else None)
    return network.eval()
