"""DETR with a ResNet-50 backbone, the detector of the GTX 1070 article (Hugging Face's)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.models.decorator import model
from pytest_infer.models.families import coco
from pytest_infer.models.seeding import BRANCH_GAIN, Fit, coarse, seed_network
from pytest_infer.models.spec import Dim, Profile, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from torch import nn

    Arrays = Mapping[str, npt.NDArray[Any]]

_CHECKPOINT = "facebook/detr-resnet-50"
_REVISION = "no_timm"

_PHOTOGRAPHS = 4  # of the feeds, to seed with: one costs 5 s of fp64 on two cores
_DETECTIONS = 5  # at least, on each of them

_SHARP = 2.0**0.5
_GAINS = {
    "layer.2.normalization": BRANCH_GAIN,
    "self_attn.o_proj": BRANCH_GAIN,
    "mlp.fc2": BRANCH_GAIN,
    "query_position_embeddings": 2.0,  # queries must differ more than they agree
    "q_proj": _SHARP,  # attention to some fifteen of 850 positions, not to all alike
    "k_proj": _SHARP,
}
_FITS = {
    "network.model.input_projection": Fit(std=(1.0,) * 256),
    "network.class_labels_classifier": Fit(std=(3.0,) * (coco.CLASSES + 1)),
    "network.bbox_predictor.layers.2": Fit((0.0, 0.0, -1.0, -1.0), (1.2, 1.2, 0.7, 0.7)),
}


def _seed(module: nn.Module, feeds: Arrays) -> None:
    few = {name: feed[:_PHOTOGRAPHS] for name, feed in feeds.items()}
    gains = {
        name: gain
        for name, _ in module.named_modules()
        for end, gain in _GAINS.items()
        if name.endswith(end)
    }
    logits, _ = seed_network("detr_resnet50", module, few, gains=gains, fits=_FITS)
    _set_no_object(module, logits.numpy())


def _set_no_object(module: nn.Module, logits: npt.NDArray[Any]) -> None:
    """Lower "no object" until every photograph has enough detections above the threshold."""
    best, others = logits[..., :-1].max(-1), np.exp(logits[..., :-1]).sum(-1)
    # softmax(best) > 1/2 means exp(no object) < 2 exp(best) - the sum of the classes
    room = np.log(np.maximum(2 * np.exp(best) - others, 1e-9)) - logits[..., -1]
    shift = np.sort(room, axis=1)[:, -_DETECTIONS].min()
    bias = module.get_parameter("network.class_labels_classifier.bias").data
    bias[-1] = float(coarse(float(bias[-1]) + shift))


_PROFILE = Profile(
    {"pixel_values": TensorSpec(("batch", 3, "height", "width"))},
    {
        "batch": Dim(1, 1, 4),
        "height": Dim(64, coco.HEIGHT, 1333),  # the longest side that its processor gives
        "width": Dim(64, coco.WIDTH, 1333),
    },
)


@model(
    task="detection",
    inputs={"pixel_values": TensorSpec(("batch", 3, coco.HEIGHT, coco.WIDTH))},
    outputs={
        "logits": TensorSpec(("batch", 100, coco.CLASSES + 1)),
        "pred_boxes": TensorSpec(("batch", 100, 4)),
    },
    dims={"batch": Dim(max=16)},
    profile=_PROFILE,
    preprocess=coco.preprocess,
    postprocess=coco.postprocess,
    labels=coco.labels,
    seed=_seed,
    parameters=41_524_768,
)
def detr_resnet50(pretrained: bool) -> nn.Module:
    """Return Hugging Face's DETR without timm (Carion et al. 2020, arXiv 2005.12872)."""
    from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

    from pytest_infer.models.networks.detr import Detr

    if pretrained:
        network = DetrForObjectDetection.from_pretrained(_CHECKPOINT, revision=_REVISION)
        return Detr(network).eval()
    backbone = ResNetConfig(out_features=["stage4"])
    config = DetrConfig(use_timm_backbone=False, backbone_config=backbone, num_labels=coco.CLASSES)
    return Detr(DetrForObjectDetection(config)).eval()
