"""Where the windows of convolutions and poolings lie, and what is computed in them."""

from __future__ import annotations

from itertools import product
from math import ceil, floor
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import torch

    from pytest_infer.arrays import Array

SPATIAL = 2
"""The first axis of an image that is neither its row nor its channels."""


class Windows:
    """Where the windows of a pooling lie: its pads, strides and the size of what comes out."""

    def __init__(self, sizes: Sequence[int], given: Mapping[str, Any]) -> None:
        count = len(sizes)
        self.sizes = tuple(sizes)
        self.kernel = tuple(given["kernel_shape"])
        self.strides = tuple(given.get("strides") or [1] * count)
        self.dilations = tuple(given.get("dilations") or [1] * count)
        self.reach = tuple(
            (size - 1) * step + 1 for size, step in zip(self.kernel, self.dilations, strict=True)
        )
        self.begins, self.ends = pads_of(self.sizes, self.reach, self.strides, given)
        rounded = ceil if given.get("ceil_mode") else floor
        self.out = tuple(self._places(axis, rounded) for axis in range(count))

    def _places(self, axis: int, rounded: Callable[[float], int]) -> int:
        """Return how many windows there are; none begins in the pad at the end."""
        size, stride = self.sizes[axis], self.strides[axis]
        whole = size + self.begins[axis] + self.ends[axis]
        places = rounded((whole - self.reach[axis]) / stride) + 1
        return places - int((places - 1) * stride >= size + self.begins[axis])

    def padded(self, x: Array, value: float, beyond: float | None = None) -> Array:
        """Return ``x`` with its pads of ``value``, and ``beyond`` them as far as windows reach."""
        none = [(0, 0)] * SPATIAL
        pads = list(zip(self.begins, self.ends, strict=True))
        more = [
            (0, max(0, (out - 1) * stride + reach - begin - size - end))
            for out, stride, reach, begin, size, end in zip(
                self.out, self.strides, self.reach, self.begins, self.sizes, self.ends, strict=True
            )
        ]
        inner = np.pad(x, [*none, *pads], constant_values=value)
        return np.pad(inner, [*none, *more], constant_values=value if beyond is None else beyond)

    def views(self, padded: Array) -> Iterator[Array]:
        """Yield, for each place of the kernel, what lies there in all windows."""
        for place in product(*map(range, self.kernel)):
            starts = [at * step for at, step in zip(place, self.dilations, strict=True)]
            cuts = [
                slice(start, start + (out - 1) * stride + 1, stride)
                for start, out, stride in zip(starts, self.out, self.strides, strict=True)
            ]
            yield padded[(slice(None), slice(None), *cuts)]

    def counts(self, *, is_pad_counted: bool) -> Array:
        """Return how many values each window has."""
        ones = np.ones((1, 1, *self.sizes))
        total: Array = sum(self.views(self.padded(ones, float(is_pad_counted), 0.0)))  # type: ignore[assignment]
        return total


def pads_of(
    sizes: Sequence[int], reach: Sequence[int], strides: Sequence[int], given: Mapping[str, Any]
) -> tuple[list[int], list[int]]:
    """Return how much is padded before and after each axis."""
    count, mode = len(sizes), given.get("auto_pad") or "NOTSET"
    if mode == "NOTSET":
        pads = list(given.get("pads") or [0] * 2 * count)
        return pads[:count], pads[count:]
    if mode == "VALID":
        return [0] * count, [0] * count
    totals = [
        max(0, (ceil(size / stride) - 1) * stride + length - size)
        for size, length, stride in zip(sizes, reach, strides, strict=True)
    ]
    less, rest = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return (less, rest) if mode == "SAME_UPPER" else (rest, less)


def convolved(x: Array, weights: Array, bias: Array | None, given: Mapping[str, Any]) -> Array:
    """Return ONNX's Conv by torch, in fp64 if ``x`` is of it and else in fp32."""
    import torch

    wide = np.float64 if x.dtype == np.float64 else np.float32

    def tensor(values: Array) -> torch.Tensor:
        return torch.from_numpy(np.require(values, wide, ["C", "W"]))

    sizes, kernel = x.shape[SPATIAL:], weights.shape[SPATIAL:]
    strides = list(given.get("strides") or [1] * len(sizes))
    dilations = list(given.get("dilations") or [1] * len(sizes))
    reach = [(size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True)]
    begins, ends = pads_of(sizes, reach, strides, given)
    around = [(0, 0)] * SPATIAL + list(zip(begins, ends, strict=True))
    image = np.pad(x, around) if any(begins) or any(ends) else x
    call = (torch.conv1d, torch.conv2d, torch.conv3d)[len(sizes) - 1]
    with torch.inference_mode():
        found = call(
            tensor(image),
            tensor(weights),
            None if bias is None else tensor(bias),
            stride=strides,
            dilation=dilations,
            groups=given.get("group") or 1,
        )
    values: Array = found.numpy()
    return values
