"""One engine's outputs in two environments: the same bits, within the noise floor, beyond it."""

import numpy as np
import pytest

from pytest_infer.judges.metamorphic import References
from pytest_infer.judges.upgraded_outputs import judge_upgraded

TRUTH = np.linspace(-1, 1, 64).reshape(1, 64)
EAGER = TRUTH.astype(np.float32) + np.float32(1e-6)


def judged(new, old=EAGER):
    """Return the verdict on an output of two environments."""
    return judge_upgraded(
        {"y": new},
        {"y": old},
        References({"y": TRUTH}, {"y": EAGER}),
        precision="fp32",
        subject="net",
    )


def test_bit_equal():
    """The same bits pass as that."""
    verdict = judged(EAGER.copy())
    assert (verdict.judge, verdict.status, verdict.code) == ("against", "pass", "bit-equal")
    assert verdict.figures["outputs_max_abs"] == 0


def test_within_the_noise_floor():
    """A difference that rounding explains passes, and is stated."""
    verdict = judged(EAGER + np.float32(5e-7))
    assert (verdict.status, verdict.code) == ("pass", "within-noise")
    assert verdict.figures["outputs_max_abs"] == pytest.approx(5e-7, rel=0.3)
    assert 0 < verdict.figures["outputs_ratio"] < 1


def test_beyond_it():
    """A difference of a thousandth fails, though each might pass parity by a wider tolerance."""
    verdict = judged(EAGER + np.float32(1e-3))
    assert (verdict.judge, verdict.status, verdict.code) == ("against", "fail", "outputs-differ")
    assert "net breaks a rule: the engine gives in both environments the same outputs" in (
        verdict.message
    )
    assert verdict.figures["outputs_ratio"] > 1


def test_not_finite():
    """NaN on one side is no difference that could be measured."""
    wrong = EAGER.copy()
    wrong[0, 0] = np.nan
    verdict = judged(wrong)
    assert (verdict.judge, verdict.status, verdict.code) == ("against", "fail", "not-finite")
