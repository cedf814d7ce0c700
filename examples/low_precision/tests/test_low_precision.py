"""Few held-out digits may be lost, whatever the precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_infer import (
        Accuracy,
        Arrays,
        Enforce,
        EngineUnderTest,
        GpuTimer,
        Latency,
        Truth,
    )


pytestmark = pytest.mark.infer(
    models=(
        *("digits", "digits_sparse", "digits_qat"),
        *("digits_modelopt", "digits_trt", "digits_qat_trt"),
    )
)


@pytest.mark.accuracy(max_drop=0.01, at_least=0.97)
def test_accuracy(engine: EngineUnderTest, accuracy: Accuracy, enforce: Enforce) -> None:
    """At most 1 % fewer right than eager in fp32 has, on the same 1,000 digits."""
    enforce(accuracy(engine))


def test_what_ran(engine: EngineUnderTest, truth: Truth, enforce: Enforce) -> None:
    """The arithmetic is what was asked for."""
    enforce(truth.precision(engine.evidence()))


def test_speed(  # noqa: PLR0917 - fixtures are named, not positional
    engine: EngineUnderTest,
    eager: EngineUnderTest,
    feeds: Arrays,
    gpu_timer: GpuTimer,
    latency: Latency,
    enforce: Enforce,
) -> None:
    """The speed-up over eager is reported, and nothing is asked of it."""
    enforce(latency(*gpu_timer.interleaved([engine, eager], feeds)))
