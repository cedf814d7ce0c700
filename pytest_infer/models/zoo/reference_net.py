"""The reference net of the latency gate, no model of the matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.models.decorator import model
from pytest_infer.models.families import imagenet
from pytest_infer.models.seeding import draw, one_thread
from pytest_infer.models.spec import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from torch import nn

SIZE = 112


def _preprocess(photographs: Sequence[npt.NDArray[Any]]) -> Mapping[str, npt.NDArray[Any]]:
    """Return every second pixel of what classifiers are fed."""
    image = imagenet.preprocess("resnet50", photographs)["image"]
    return {"image": np.ascontiguousarray(image[:, :, ::2, ::2])}


def _seed(network: nn.Module, _feeds: Mapping[str, npt.NDArray[Any]]) -> None:
    """Give the net its weights, drawn from its own name; no photograph counts."""
    import torch

    network.double()
    with torch.no_grad(), one_thread():
        draw("reference_net", network, {})
    network.float()


@model(
    inputs={"image": TensorSpec(("batch", 3, SIZE, SIZE))},
    outputs={"scores": TensorSpec(("batch", 4096))},
    preprocess=_preprocess,
    seed=_seed,
    weights="seeded",
    is_listed=False,
)
def reference_net(pretrained: bool) -> nn.Module:
    """Return the frozen net."""
    del pretrained  # nobody has trained it
    from pytest_infer.models.networks.reference_net import ReferenceNet

    return ReferenceNet().eval()
