"""Each engine that is asked for is right on a small model, and shows what ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_infer import Answers, Enforce, EngineUnderTest, Parity, Truth

pytestmark = pytest.mark.infer(models="small")


def test_outputs(answers: Answers, parity: Parity, enforce: Enforce) -> None:
    """The outputs are eager's, however the feeds lie in memory."""
    enforce(parity(answers), parity.top_k(answers), parity(answers.strided()))


def test_what_ran(engine: EngineUnderTest, truth: Truth, enforce: Enforce) -> None:
    """The precision, the device and the settings are those that were asked for."""
    evidence = engine.evidence()
    enforce(truth.precision(evidence), truth.placement(evidence), truth.settings(evidence))


@pytest.mark.infer(engines=["executorch", "litert"])
def test_delegated(engine: EngineUnderTest) -> None:
    """XNNPACK has the convolutions; nearly every operator is delegated."""
    details = engine.evidence().details
    assert details["delegated_share"] > 0.8
    assert not any("conv" in kernel.lower() for kernel in details["kernels"])


@pytest.mark.infer(engines="mnn")
def test_kernels(engine: EngineUnderTest) -> None:
    """The session has run the converted graph's convolutions, by a backend for the CPU."""
    details = engine.evidence().details
    assert details["operators"]["Convolution"] >= 2
    assert details["kernels"]
