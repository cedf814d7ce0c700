"""A look at what timed calls put out."""

import numpy as np
import pytest

from pytest_infer.judges.metamorphic import References, judge_look
from pytest_infer.timing.look import AFTER, TIMED, look_from_outputs

FIRST = {"y": np.linspace(1, 2, 10, dtype=np.float32)}


def changed(factor):
    """Return outputs that differ by a factor."""
    return {"y": FIRST["y"] * np.float32(factor)}


def judged(timed, after=FIRST):
    """Return the verdict."""
    return judge_look(
        look_from_outputs(FIRST, timed, after),
        references=References({"y": FIRST["y"].astype(float)}, {"y": FIRST["y"] * (1 + 1e-7)}),
        precision="fp32",
        subject="toy",
    )


def test_equal_bits_keep_nothing():
    """Outputs are kept only where they differ."""
    look = look_from_outputs(FIRST, {"y": FIRST["y"].copy()}, FIRST)
    assert (look.is_seen, look.first, look.others) == (True, {}, {})


def test_equal_nan_is_no_difference():
    """What was NaN before is for parity to judge."""
    first = {"y": np.array([1, np.nan])}
    assert look_from_outputs(first, {"y": first["y"].copy()}, first).others == {}


def test_what_cannot_be_seen():
    """Calls after the timed ones are compared all the same."""
    look = look_from_outputs(FIRST, None, changed(1.01))
    assert not look.is_seen
    assert set(look.others) == {AFTER}


def test_rounding_passes():
    """What the noise floor allows is no other answer."""
    assert set(look_from_outputs(FIRST, changed(1 + 2e-7), FIRST).others) == {TIMED}
    assert judged(changed(1 + 2e-7)) is None


@pytest.mark.parametrize(
    "timed",
    [changed(1.001), changed(np.nan), changed(0), {}, {"y": FIRST["y"][:3]}],
    ids=["other", "nan", "zero", "nothing", "short"],
)
def test_another_answer_fails(timed):
    """Whatever a timed call puts out instead, the test of latency fails."""
    verdict = judged(timed)
    assert (verdict.judge, verdict.status, verdict.code) == ("latency", "fail", "not-repeatable")
    assert verdict.message.startswith("toy, the timed call")


def test_state_that_timed_calls_leave_behind():
    """A call after them that gives something else fails, too."""
    assert judged(FIRST, changed(1.01)).message.startswith("toy, a call after the timed ones")
