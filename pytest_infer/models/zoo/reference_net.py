"""The reference net of the latency gate, no model of the matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.models.families import imagenet
from pytest_infer.models.registry import model
from pytest_infer.models.seeding import draw
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


@model(
    inputs={"image": TensorSpec(("batch", 3, SIZE, SIZE))},
    outputs={"scores": TensorSpec(("batch", 4096))},
    preprocess=_preprocess,
    is_listed=False,
)
def reference_net() -> nn.Module:
    """Return the frozen net, with weights drawn from its own name."""
    import torch

    from pytest_infer.models.networks.reference_net import ReferenceNet

    network = ReferenceNet().double()
    with torch.no_grad():
        draw("reference_net", network, {})
    return network.float().eval()
