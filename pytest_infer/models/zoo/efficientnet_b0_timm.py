"""EfficientNet-B0 of timm, which the article on Torch-TensorRT times."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_infer.errors import ModelError
from pytest_infer.models.decorator import model
from pytest_infer.models.families import imagenet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn


def _branch_ends(network: nn.Module) -> Iterable[str]:
    """Return the names of the last batch norms of blocks that add their input."""
    blocks = network.named_modules()
    return (f"{name}.bn3" for name, block in blocks if getattr(block, "has_skip", False))


@model(
    task="classification",
    inputs=imagenet.INPUTS,
    outputs=imagenet.OUTPUTS,
    preprocess=partial(imagenet.preprocess, "efficientnet_b0"),
    postprocess=imagenet.postprocess,
    labels=partial(imagenet.labels, "efficientnet_b0"),
    seed=imagenet.seed("efficientnet_b0_timm", "classifier", _branch_ends),
    parameters=5_288_548,
    is_listed=False,
)
def efficientnet_b0_timm(pretrained: bool) -> nn.Module:
    """Return timm's EfficientNet-B0 (Tan and Le 2019, arXiv 1905.11946)."""
    try:
        import timm
    except ImportError as error:
        raise ModelError(
            "cannot create timm's EfficientNet-B0",
            why=f"timm cannot be imported: {error}",
            mend="pip install 'pytest-infer[timm]', in the environment in which eager runs",
        ) from error
    network: nn.Module = timm.create_model("efficientnet_b0", pretrained=pretrained)
    return network.eval()
