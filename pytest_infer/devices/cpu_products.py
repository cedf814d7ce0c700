"""How a CPU multiplies in int8: without VNNI its sums of two products overflow 16 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.devices.cpu_flags import CPUINFO, cpu_flags

if TYPE_CHECKING:
    from pathlib import Path

VNNI = {"avx_vnni", "avx512_vnni"}


def weight_bits(cpuinfo: Path = CPUINFO) -> int:
    """Return how many bits weights may have beside uint8 activations: 8, or 7 without VNNI.

    ``VPMADDUBSW`` of x86 adds two products of a uint8 and an int8 and saturates at 2^15 - 1; two
    of 255 x 127 are above it, two of 255 x 64 are not (onnxruntime.ai, "Quantize ONNX Models",
    ``reduce_range``). VNNI adds up in 32 bits, and so do ARM's products.
    """
    flags = cpu_flags(cpuinfo)
    return 7 if flags and VNNI.isdisjoint(flags) else 8
