"""What detectors of COCO's classes share: pixels in, detections out, as DETR's own processor."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Arrays = Mapping[str, npt.NDArray[Any]]

HEIGHT, WIDTH = 800, 1066  # the sizes that DETR's processor gives a photograph of 3 to 4
THRESHOLD = 0.5
CLASSES = 91


def preprocess(photographs: Sequence[npt.NDArray[Any]]) -> Arrays:
    """Return ``photographs`` resized to 800 x 1066, scaled and normalised by DETR's processor."""
    pixels = _processor()(list(photographs), return_tensors="np")["pixel_values"]
    return {"pixel_values": np.asarray(pixels, dtype=np.float32)}


def postprocess(outputs: Arrays) -> list[Arrays]:
    """Return, per row, scores above 0.5 with labels and boxes (x0, y0, x1, y1; input pixels)."""
    import torch

    found = {name: torch.from_numpy(np.asarray(array)).float() for name, array in outputs.items()}
    rows = _processor().post_process_object_detection(
        SimpleNamespace(**found),
        threshold=THRESHOLD,
        target_sizes=[(HEIGHT, WIDTH)] * len(found["logits"]),
    )
    return [{name: tensor.numpy() for name, tensor in row.items()} for row in rows]


def labels() -> tuple[str, ...]:
    """Return the names of the 91 classes; those COCO never used are called N/A."""
    from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights

    return tuple(FasterRCNN_ResNet50_FPN_Weights.DEFAULT.meta["categories"])


@cache
def _processor() -> Any:
    from transformers import DetrImageProcessor

    return DetrImageProcessor(size={"height": HEIGHT, "width": WIDTH})
