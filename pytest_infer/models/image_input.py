"""Photographs as an image model takes them when its library does not prepare them itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.arrays import Array, Arrays

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def resized(
    name: str,
    size: tuple[int, int],
    mean: Sequence[float],
    std: Sequence[float],
    photographs: Sequence[Array],
) -> Arrays:
    """Return ``photographs`` as the input ``name``: (rows, 3, height, width), float32.

    Each is resized to ``size`` (height, width) without keeping its proportions, scaled to 0 to 1
    and normalised.
    """
    from PIL import Image

    height, width = size
    images = [
        np.asarray(Image.fromarray(each).resize((width, height), Image.Resampling.BILINEAR))
        for each in photographs
    ]
    pixels = (np.stack(images) / 255.0 - np.asarray(mean)) / np.asarray(std)
    return {name: np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)}
