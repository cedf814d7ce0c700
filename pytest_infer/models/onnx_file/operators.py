"""Operators as this package computes them: those that onnx lacks, is slow at, or rounds in fp32."""

from __future__ import annotations

from functools import cache, reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.models.onnx_file.microsoft import microsoft_operators
from pytest_infer.models.onnx_file.windows import SPATIAL, Windows, convolved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.arrays import Array

BYTE = 255


@cache
def own_operators() -> tuple[type, ...]:
    """Return the classes that take the place of onnx's own."""
    return (*_of_windows(), *_of_all_bits(), *microsoft_operators())


def _of_windows() -> tuple[type, ...]:
    """Return onnx's operators at which its own code is slow."""
    from onnx.reference.op_run import OpRun
    from onnx.reference.ops import op_conv

    class Conv(op_conv.Conv):  # type: ignore[misc]  # onnx's classes are Any
        """The sum of products by torch, at the width of its inputs."""

        def _run(self, X: Array, W: Array, B: Array | None = None, **given: Any) -> Any:  # noqa: N803
            if W.ndim - SPATIAL not in {1, 2, 3}:
                return super()._run(X, W, B, **given)
            return (convolved(X, W, B, given).astype(X.dtype),)

    class MaxPool(OpRun):  # type: ignore[misc]
        """The greatest of each window, by one strided view per place of the kernel."""

        def _run(self, x: Array, **given: Any) -> Any:
            if len(self.onnx_node.output) > 1:
                from onnx.reference.ops.op_max_pool import MaxPool as Onnx

                return Onnx(self.onnx_node, self.run_params)._run(x, **given)  # noqa: SLF001
            least = np.iinfo(x.dtype).min if x.dtype.kind in "iu" else -np.inf
            windows = Windows(x.shape[SPATIAL:], given)
            return (reduce(np.maximum, windows.views(windows.padded(x, least))),)

    class AveragePool(OpRun):  # type: ignore[misc]
        """The mean of each window; what lies outside counts if the file says so."""

        def _run(self, x: Array, **given: Any) -> Any:
            windows = Windows(x.shape[SPATIAL:], given)
            counts = windows.counts(is_pad_counted=bool(given.get("count_include_pad")))
            return (sum(windows.views(windows.padded(x, 0))) / counts.astype(x.dtype),)

    return Conv, MaxPool, AveragePool


def _of_all_bits() -> tuple[type, ...]:
    """Return onnx's operators that lose bits, or fail, in its own code."""
    from onnx.reference.op_run import OpRun

    class DequantizeLinear(OpRun):  # type: ignore[misc]
        """Integers times their scale, in the type of the scale: int32 does not fit into fp32."""

        def _run(self, x: Array, scale: Array, zero: Array | None = None, **given: Any) -> Any:
            from onnx.helper import tensor_dtype_to_np_dtype

            axis, block = given.get("axis", 1), given.get("block_size") or 0
            wide = x.astype(np.float64)
            if zero is not None and "int" in x.dtype.name:
                wide = wide - _spread(zero, x.shape, axis, block).astype(np.float64)
            kind = given.get("output_dtype") or 0
            target = tensor_dtype_to_np_dtype(kind) if kind else scale.dtype
            product = wide * _spread(scale, x.shape, axis, block).astype(np.float64)
            return (product.astype(target),)

    class GatherElements(OpRun):  # type: ignore[misc]
        """Values along an axis by index; onnx's own fails where the other sizes are larger."""

        def _run(self, data: Array, indices: Array, axis: int = 0) -> Any:
            place = axis % data.ndim
            cuts = [
                slice(None if each == place else size) for each, size in enumerate(indices.shape)
            ]
            whole = np.where(indices < 0, indices + data.shape[place], indices)
            return (np.take_along_axis(data[tuple(cuts)], whole, place),)

    class Erf(OpRun):  # type: ignore[misc]
        """The error function; onnx's own rounds it to fp32 in every type."""

        def _run(self, x: Array) -> Any:
            from scipy.special import erf

            return (np.asarray(erf(x.astype(np.float64)), x.dtype),)

    class DynamicQuantizeLinear(OpRun):  # type: ignore[misc]
        """uint8 over the range of the input; onnx's own takes its scale in fp32."""

        def _run(self, x: Array) -> Any:
            most, least = max(x.max(initial=0), 0), min(x.min(initial=0), 0)
            scale = np.asarray((most - least) / BYTE if most > least else 1, x.dtype)
            zero = np.rint(np.clip(-least / scale, 0, BYTE))
            whole = np.clip(np.rint(x / scale) + zero, 0, BYTE)
            return whole.astype(np.uint8), scale, np.asarray(zero, np.uint8)

    return DequantizeLinear, DynamicQuantizeLinear, GatherElements, Erf


def _spread(values: Array, shape: Sequence[int], axis: int, block: int) -> Array:
    """Return scales or zero points as they lie on a tensor: one, one per place, or per block."""
    if values.ndim == 0 or (values.size == 1 and not block):
        return values.reshape(())
    if block:
        return np.repeat(values, block, axis)[tuple(slice(size) for size in shape)]
    sizes = [1] * len(shape)
    sizes[axis] = -1
    return values.reshape(sizes)
