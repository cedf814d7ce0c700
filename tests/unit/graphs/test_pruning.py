"""Weights are pruned to two of every four inputs."""

import pytest
import torch

from pytest_infer.graphs.pruning import prune, pruned


@pytest.mark.parametrize("shape", [(5, 8), (3, 4, 3, 3), (2, 16, 1, 1)])
def test_half_of_every_group_is_left(shape):
    """Of four neighbouring inputs the two largest magnitudes stay as they were."""
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    groups = pruned(weight).movedim(1, -1).reshape(-1, 4)
    dense = weight.movedim(1, -1).reshape(-1, 4)
    assert ((groups != 0).sum(1) == 2).all()
    assert (groups[groups != 0] == dense[groups != 0]).all()
    gone = dense.abs().masked_fill(groups != 0, 0).amax(1)
    kept = dense.abs().masked_fill(groups == 0, float("inf")).amin(1)
    assert (gone <= kept).all()


def test_layers_without_groups_of_four_are_left_alone():
    """The first convolution of a network has three inputs."""
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 2, 1))
    first = module[0].weight.clone()
    prune(module)
    assert (module[0].weight == first).all()
    assert (module[1].weight == 0).float().mean() == 0.5
