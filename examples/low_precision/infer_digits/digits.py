"""The 1,797 handwritten digits that scikit-learn ships, in three parts that share no image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Rows = tuple[npt.NDArray[Any], npt.NDArray[Any]]

TRAINING, CALIBRATION, EVALUATION = slice(0, 700), slice(700, 797), slice(797, 1797)
SEED = 0
BRIGHTEST = 16.0
"""Pixels are whole numbers up to this."""


def rows(part: slice) -> Rows:
    """Return the images of a part (float32, rows x 1 x 8 x 8, 0 to 1) and their digits (int64)."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(SEED).permutation(len(found.target))[part]
    images = found.images[order, None] / BRIGHTEST
    return images.astype(np.float32), found.target[order].astype(np.int64)


def evaluation() -> Rows:
    """Return the 1,000 images by which accuracy is judged, and their digits."""
    return rows(EVALUATION)


def calibration() -> npt.NDArray[Any]:
    """Return the 97 images on which int8 is calibrated."""
    return rows(CALIBRATION)[0]
