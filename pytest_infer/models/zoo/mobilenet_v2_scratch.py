"""MobileNetV2 written from scratch for two classes, as the article on three engines has it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_infer.errors import ModelError
from pytest_infer.models.decorator import model
from pytest_infer.models.families import imagenet
from pytest_infer.models.spec import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn

N_CLASS = 2


def _branch_ends(network: nn.Module) -> Iterable[str]:
    blocks = network.named_modules()
    return (f"{name}.project.1" for name, each in blocks if getattr(each, "is_residual", False))


@model(
    task="classification",
    inputs=imagenet.INPUTS,
    outputs={"logits": TensorSpec(("batch", N_CLASS))},
    preprocess=partial(imagenet.preprocess, "mobilenet_v2"),
    postprocess=imagenet.postprocess,
    seed=imagenet.seed("mobilenet_v2_scratch", "classifier", _branch_ends),
    parameters=2_226_434,
    is_listed=False,
)
def mobilenet_v2_scratch(pretrained: bool) -> nn.Module:
    """Return the article's network, ``MobileNetV2(n_class=2, input_size=224, width_mult=1.)``."""
    if pretrained:
        raise ModelError(
            "mobilenet_v2_scratch has no pretrained weights",
            why="its article times the network as it is initialised, and nobody has trained it",
            mend="leave out --infer-weights=pretrained, or give a folder",
        )
    from pytest_infer.models.networks.mobilenet_v2 import MobileNetV2

    return MobileNetV2(n_class=N_CLASS, input_size=224, width_mult=1.0).eval()
