"""Eager mode as TF32 on tensor cores would have it: every product's inputs and weights are cut.

What this loses is the most that TF32 can lose, the noise floor of that precision. Eager's own TF32
does not show it: a library takes it in some layers only, and a CPU has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.engines.fake_quantization import with_products

if TYPE_CHECKING:
    from torch import Tensor, nn

AS_NOISE = "as_noise"
"""In a request's options: eager shall show what TF32 may lose, and not run in TF32 itself."""

DROPPED_BITS = 13
"""Of the 23 bits of an fp32 number's fraction, those that TF32 does not have."""


def shorten_products(module: nn.Module) -> nn.Module:
    """Cut the weights of convolutions and linear layers in place, and their inputs when called.

    A tensor core reads 19 of the 32 bits and does not round, unless the library has done so before.
    Cut numbers are nearer to zero, so the outputs of a deep network shrink: by 0.6 % for ResNet-50.
    """
    return with_products(module, weights=_cut, inputs=_cut)


def _cut(values: Tensor) -> Tensor:
    import torch

    bits = values.contiguous().view(torch.int32)
    return (bits & -(1 << DROPPED_BITS)).view(torch.float32)
