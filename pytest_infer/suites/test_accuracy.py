"""Every engine has as many held-out rows right as the model's own code in fp32.

Of models that have an evaluation set: ``@model(..., evaluation=function)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_infer import Accuracy, Enforce, EngineUnderTest


def test_accuracy(engine: EngineUnderTest, accuracy: Accuracy, enforce: Enforce) -> None:
    """The same rows, one by one: at most 1 % lost, unless a mark says otherwise."""
    enforce(accuracy(engine))
