"""What TF32 may lose: right values from numpy, by the bits."""

import numpy as np
import torch
from torch import nn

from pytest_infer.engines.short_products import shorten_products


def cut(values):
    """Return fp32 numbers with 10 bits of fraction, the others dropped."""
    fraction, exponent = np.frexp(values.astype(np.float64))
    return np.ldexp(np.trunc(fraction * 2.0**11) / 2.0**11, exponent)


def test_linear():
    """Inputs and weights lose 13 bits towards zero, whatever their sign; the bias keeps its own."""
    random = np.random.default_rng(0)
    weights, bias = random.normal(size=(3, 5)), random.normal(size=3)
    inputs = random.normal(size=(2, 5)).astype(np.float32)
    module = nn.Linear(5, 3)
    module.weight.data, module.bias.data = (
        torch.tensor(each, dtype=torch.float32) for each in (weights, bias)
    )
    with torch.no_grad():
        found = shorten_products(module)(torch.from_numpy(inputs)).numpy()
    right = cut(inputs) @ cut(weights.astype(np.float32)).T + bias.astype(np.float32)
    np.testing.assert_allclose(found, right, rtol=1e-6)
    assert np.abs(found - (inputs @ weights.T + bias)).max() > 1e-4


def test_no_product():
    """A norm and an activation are no products, and keep all bits."""
    module = nn.Sequential(nn.BatchNorm1d(4).eval(), nn.SiLU())
    inputs = torch.rand(2, 4)
    before = module(inputs)
    assert torch.equal(shorten_products(module)(inputs), before)


def test_not_contiguous():
    """A transposed input is cut too."""
    module = nn.Linear(4, 4)
    inputs = torch.rand(4, 4).T
    found = shorten_products(module)(inputs)
    assert torch.equal(found, module(inputs.contiguous()))
