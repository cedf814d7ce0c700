"""A small picture of what a model is fed in one row: what a report shows beside its answer."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pytest_infer.arrays import Array, Arrays

LONGER_SIDE_PX = 176
QUALITY = 60
"""Together they make a JPEG of 3 to 6 kB."""

LEAST_SIDE_PX = 8
"""An array with a shorter side is no image."""

BYTE_MAX = 255.0


@dataclass(frozen=True)
class Thumbnail:
    """A JPEG in base64, and the size in pixels of the input that it shows."""

    jpeg: str
    width: int
    height: int


def thumbnail(feeds: Arrays) -> Thumbnail | None:
    """Return the first row of the first input that is an image; None if there is none.

    An image is (rows, channels, height, width) or (rows, height, width, channels), grey or RGB.
    Values between 0 and 1, or 0 and 255, are shown as they are, others from the least to the
    greatest.
    """
    from PIL import Image

    pixels = next((found for each in feeds.values() if (found := _pixels(each)) is not None), None)
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    image = Image.fromarray(_bytes(pixels))
    image.thumbnail((LONGER_SIDE_PX, LONGER_SIDE_PX))
    file = BytesIO()
    image.save(file, "JPEG", quality=QUALITY, optimize=True)
    return Thumbnail(b64encode(file.getvalue()).decode(), width, height)


def _pixels(values: Array) -> Array | None:
    """Return height x width x RGB of the first row; None if it is no image."""
    if values.ndim != 4 or not len(values):  # noqa: PLR2004 - rows, channels, height, width
        return None
    row = values[0].transpose(1, 2, 0) if values.shape[1] in (1, 3) else values[0]
    if row.shape[2] not in (1, 3) or min(row.shape[:2]) < LEAST_SIDE_PX:
        return None
    found: Array = np.broadcast_to(row, (*row.shape[:2], 3))
    return found


def _bytes(pixels: Array) -> Array:
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    exact = np.nan_to_num(pixels.astype(np.float64))
    least, most = float(exact.min()), float(exact.max())
    if least >= 0 and most <= BYTE_MAX:
        least, most = 0.0, 1.0 if most <= 1 else BYTE_MAX
    share = (exact - least) / (most - least or 1.0)
    return np.round(share * BYTE_MAX).astype(np.uint8)
