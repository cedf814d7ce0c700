"""Every engine gives the outputs of the model's own code, within what rounding explains.

Every photograph is fed, at every batch size, and never one input alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_infer import Answers, Enforce, Parity


def test_outputs(answers: Answers, parity: Parity, enforce: Enforce) -> None:
    """MAE, max abs, relative L2 and cosine against eager in fp64."""
    enforce(parity(answers))


@pytest.mark.infer(with_task=True)
def test_task(answers: Answers, parity: Parity, enforce: Enforce) -> None:
    """What the outputs mean, by the judge of the model's task: classes, boxes, masks, ranks."""
    enforce(parity.task(answers))


def test_layouts(answers: Answers, parity: Parity, enforce: Enforce) -> None:
    """Feeds that are not contiguous, or channels-last, give the same."""
    enforce(parity(answers.strided()))


def test_burst(answers: Answers, parity: Parity, enforce: Enforce) -> None:
    """Many calls in a row, with changing feeds, give the first answers."""
    enforce(parity.burst(answers))
