"""MobileNetV2, the classifier of the article on torch.compile, ONNX Runtime and TensorRT.

The matrix has torchvision's, for which there are trained weights. Ours, with other numbers of
classes, input sizes and widths, is `pytest_infer.models.networks.mobilenet_v2.MobileNetV2`.
"""

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
    return (f"{name}.conv.3" for name, block in blocks if getattr(block, "use_res_connect", False))


@model(
    task="classification",
    inputs=imagenet.INPUTS,
    outputs=imagenet.OUTPUTS,
    profile=imagenet.PROFILE,
    preprocess=partial(imagenet.preprocess, "mobilenet_v2"),
    postprocess=imagenet.postprocess,
    labels=partial(imagenet.labels, "mobilenet_v2"),
    seed=imagenet.seed("mobilenet_v2", "classifier.1", _branch_ends),
    parameters=3_504_872,
)
def mobilenet_v2(pretrained: bool) -> nn.Module:
    """Return torchvision's MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381)."""
    from torchvision import models

    network: nn.Module = models.mobilenet_v2(weights="DEFAULT" if pretrained else None)
    return network.eval()
