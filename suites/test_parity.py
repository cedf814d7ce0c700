"""Every engine gives the outputs of the model's own code, within what rounding explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_infer.enforcement import Enforce
    from pytest_infer.engine import Arrays
    from pytest_infer.judges import Parity
    from pytest_infer.under_test import EngineUnderTest


def test_outputs(engine: EngineUnderTest, feeds: Arrays, parity: Parity, enforce: Enforce) -> None:
    """MAE, max abs, relative L2 and cosine against eager in fp64."""
    enforce(parity(engine(feeds)))


@pytest.mark.infer(tasks="classification")
def test_top_k(engine: EngineUnderTest, feeds: Arrays, parity: Parity, enforce: Enforce) -> None:
    """A classifier's top-1 and top-5, near-ties forgiven within the noise floor."""
    enforce(parity.top_k(engine(feeds)))


@pytest.mark.infer(tasks="detection")
def test_detections(
    engine: EngineUnderTest, feeds: Arrays, parity: Parity, enforce: Enforce
) -> None:
    """A detector's boxes, classes and scores, in any order."""
    enforce(parity.detections(engine(feeds)))
