"""What was asked for is what ran: precision, device, settings, and the graph it was built from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_infer import Enforce, EngineUnderTest, Truth


def test_what_ran(engine: EngineUnderTest, truth: Truth, enforce: Enforce) -> None:
    """The precision, the device and the settings, by the engine's own evidence."""
    evidence = engine.evidence()
    enforce(truth.precision(evidence), truth.placement(evidence), truth.settings(evidence))


@pytest.mark.infer(formats="onnx")
def test_graph(truth: Truth, enforce: Enforce) -> None:
    """The exported file has the opset, names, dynamic dimensions and types that were asked for."""
    enforce(truth.graph())
