"""A kernel of fixed work that no inference library runs: what the device itself is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 256


def matrix_product() -> Callable[[], object]:
    """Return a call that multiplies two fp32 matrices of 256 x 256 by numpy, on the CPU."""
    random = np.random.default_rng(0)
    left, right = (random.standard_normal((SIZE, SIZE), dtype=np.float32) for _ in range(2))
    product = np.empty((SIZE, SIZE), dtype=np.float32)
    return lambda: np.matmul(left, right, out=product)
