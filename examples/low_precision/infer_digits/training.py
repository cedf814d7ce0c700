"""Train the network, alone or with the roundings of int8 in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from infer_digits.digits import TRAINING, rows
from infer_digits.network import network

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 50


def trained(epochs: int = 12) -> nn.Module:
    """Return the network in fp32 after ``epochs`` passes over the training images, in eval mode."""
    torch.manual_seed(0)
    found = network()
    train(found, epochs, rate=2e-3)
    return found.eval()


def train(module: nn.Module, epochs: int, *, rate: float) -> None:
    """Change a module's weights in place, by Adam with a rate that falls to zero."""
    optimizer = torch.optim.Adam(module.parameters(), lr=rate)
    steps = epochs * len(list(_batches(0)))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for epoch in range(epochs):
        for images, digits in _batches(epoch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(images), digits).backward()
            optimizer.step()
            schedule.step()


def _batches(epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the training images in another order for each epoch."""
    images, digits = map(torch.from_numpy, rows(TRAINING))
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(epoch))
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        yield images[part], digits[part]
