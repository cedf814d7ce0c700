"""A small picture of what a model is fed."""

from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pytest_infer.models.thumbnail import LONGER_SIDE_PX, thumbnail


def shown(values):
    """Return the picture, and its pixels."""
    found = thumbnail({"ids": np.zeros((1, 7), np.int64), "image": values})
    return found, np.asarray(Image.open(BytesIO(b64decode(found.jpeg)))).astype(int)


@pytest.mark.parametrize("is_last", [False, True])
def test_first_row(is_last):
    """It is the first row, with red where red was, and knows the size of the input."""
    values = np.zeros((2, 3, 100, 400), np.float32)
    values[0, 0], values[1, 2] = 1.0, 1.0
    found, pixels = shown(values.transpose(0, 2, 3, 1) if is_last else values)
    assert (found.width, found.height) == (400, 100)
    assert pixels.shape == (LONGER_SIDE_PX // 4, LONGER_SIDE_PX, 3)
    assert np.abs(pixels[20, 80] - [254, 0, 0]).max() < 4
    assert len(found.jpeg) < 1500


@pytest.mark.parametrize(
    ("values", "middle"), [([0.0, 0.5, 1.0], 128), ([0.0, 100.0, 255.0], 100), ([-2, 0, 2], 128)]
)
def test_range(values, middle):
    """Shares and bytes are shown as they are; normalised values are stretched."""
    columns = np.repeat(np.float32(values), 16)
    _, pixels = shown(np.broadcast_to(columns, (1, 1, 16, 48)))
    assert abs(pixels[8, 24, 0] - middle) < 8


@pytest.mark.parametrize("shape", [(1, 7), (1, 2, 30, 30), (1, 3, 4, 30), (0, 3, 30, 30)])
def test_no_image(shape):
    """What is no image has no picture."""
    assert thumbnail({"x": np.zeros(shape, np.float32)}) is None
