"""Seeded weights, on nets small enough to see through."""

import numpy as np
import torch
from torch import nn

from pytest_infer.models.seeding import (
    SIGNIFICANT_BITS,
    Fit,
    coarse,
    generator,
    seed_network,
    semi_orthogonal,
)


def small() -> nn.Module:
    """Return a convolution with a batch norm and a head, with weights that do not matter."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )


def feeds() -> dict[str, np.ndarray]:
    """Return six noisy images."""
    return {"image": generator("images").standard_normal((6, 3, 10, 10)).astype(np.float32)}


def test_draws_depend_on_the_name_alone() -> None:
    """The same key gives the same numbers, another key others; torch's state is not used."""
    torch.manual_seed(1)
    first = generator("model", "layer", "weight").standard_normal(4)
    torch.manual_seed(2)
    assert generator("model", "layer", "weight").standard_normal(4).tolist() == first.tolist()
    assert generator("other", "layer", "weight").standard_normal(4).tolist() != first.tolist()


def test_draws_are_those_of_the_day_they_were_chosen() -> None:
    """Another numpy that drew otherwise would be noticed here."""
    expected = [-0.598481364078768, -1.109191835254975, 0.5762751023988603]
    np.testing.assert_allclose(generator("a", "b").standard_normal(3), expected, rtol=1e-12)


def test_coarse_forgets_the_last_bits_only() -> None:
    """A relative change of 1e-13 vanishes; the value moves by less than 2**-14 of itself."""
    values = generator("values").standard_normal(10_000)
    rounded = coarse(values)
    assert np.array_equal(coarse(values * (1 + 1e-13)), rounded)
    assert np.max(np.abs(rounded / values - 1)) <= 2.0**-SIGNIFICANT_BITS
    assert coarse(np.array([0.0, -1.5])).tolist() == [0.0, -1.5]
    assert np.array_equal(rounded.astype(np.float32), rounded)


def test_semi_orthogonal_rows_have_length_one() -> None:
    """Narrow or wide, rows are units; the shorter side is orthogonal."""
    for rows, columns in ((12, 5), (5, 12), (7, 7)):
        matrix = semi_orthogonal(generator("q"), rows, columns)
        assert matrix.shape == (rows, columns)
        if rows <= columns:
            np.testing.assert_allclose(matrix @ matrix.T, np.eye(rows), atol=1e-12)
        else:
            product = matrix.T @ matrix * columns / rows
            np.testing.assert_allclose(product, np.eye(columns), atol=1e-12)


def test_batch_norm_has_the_statistics_of_the_feeds() -> None:
    """The batch norm's mean and variance are those of what the convolution gives."""
    network = small()
    seed_network("small", network, feeds())
    with torch.no_grad():
        features = network[0].double()(torch.from_numpy(feeds()["image"]).double())
    np.testing.assert_allclose(network[1].running_mean, features.mean((0, 2, 3)), rtol=1e-4)
    variance = features.var((0, 2, 3), unbiased=False)
    np.testing.assert_allclose(network[1].running_var, variance, rtol=1e-4)


def test_a_dead_channel_does_not_amplify_rounding() -> None:
    """A channel without variance gets a hundredth of the others'."""
    network = nn.Sequential(nn.BatchNorm2d(3))
    image = feeds()["image"]
    image[:, 1] = 4.0
    seed_network("dead", network, {"image": image})
    least = 0.01 * float(network[0].running_var.median())
    np.testing.assert_allclose(network[0].running_var[1], least, rtol=1e-3)


def test_a_fitted_layer_s_outputs_lie_where_asked() -> None:
    """Mean and standard deviation per output, or standard deviation over all of them."""
    network = small()
    fit = Fit(mean=(1.0, 2.0, 3.0, 4.0, 5.0), std=(1.0, 1.0, 2.0, 2.0, 3.0))
    seed_network("small", network, feeds(), fits={"5": fit})
    with torch.no_grad():
        outputs = network(torch.from_numpy(feeds()["image"])).numpy()
    np.testing.assert_allclose(outputs.mean(0), fit.mean, rtol=1e-2)
    np.testing.assert_allclose(outputs.std(0), fit.std, rtol=1e-2)
    seed_network("small", network, feeds(), fits={"5": Fit(std=4.0, ridge=0.1)})
    with torch.no_grad():
        outputs = network(torch.from_numpy(feeds()["image"])).numpy()
    np.testing.assert_allclose(outputs.std(), 4.0, rtol=1e-2)


def test_gains_scale_one_module_by_its_name() -> None:
    """A gain multiplies a batch norm's weight and bias, and no other module's."""
    plain, scaled = small(), small()
    seed_network("small", plain, feeds())
    seed_network("small", scaled, feeds(), gains={"1": 0.25})
    np.testing.assert_allclose(scaled[1].weight.detach(), 0.25 * plain[1].weight.detach())
    np.testing.assert_allclose(scaled[1].bias.detach(), 0.25 * plain[1].bias.detach())
    assert torch.equal(scaled[0].weight, plain[0].weight)


def test_every_weight_is_inexact_in_fp16() -> None:
    """Casting a drawn weight costs something, so that a silent cast can be seen."""
    network = small()
    seed_network("small", network, feeds())
    weight = network[0].weight.detach()
    assert (weight.half().float() != weight).float().mean() > 0.7


def test_it_ends_in_fp32_and_eval_mode_without_hooks() -> None:
    """Nothing of the seeding stays behind."""
    network = small().train()
    seed_network("small", network, feeds(), fits={"5": Fit()})
    assert not any(part.training or part._forward_pre_hooks for part in network.modules())
    assert {tensor.dtype for tensor in network.parameters()} == {torch.float32}
