"""Bursts of calls: what is compared with what, how often, and how it is judged."""

from itertools import count, pairwise

import numpy as np
import pytest

from pytest_infer.judges.burst import (
    CALLS,
    LEAST_CALLS,
    MOST_CALLS,
    Burst,
    Odd,
    distance_of,
    run_burst,
)
from pytest_infer.judges.metamorphic import References, judge_burst

FEEDS = [{"x": np.full(3, number, np.float32)} for number in range(1, 5)]
FIRST = [{"y": np.arange(1, 11, dtype=np.float32) * number} for number in range(1, 5)]


def right(feeds):
    """Return what an engine answers."""
    return {"y": np.arange(1, 11, dtype=np.float32) * feeds["x"][0]}


def clock_of(call_s):
    """Return a clock that is read once per call, and once before."""
    ticks = count()
    return lambda: next(ticks) * call_s


def burst(infer=right, call_s=0.3, feeds=4):
    """Run a burst."""
    return run_burst(infer, FEEDS[:feeds], FIRST[:feeds], clock_of(call_s))


@pytest.mark.parametrize(
    ("call_s", "calls"),
    [(60, LEAST_CALLS), (1, 10), (0.3, CALLS), (0.03, 34), (0.01, 100), (1e-6, MOST_CALLS)],
)
def test_number_of_calls(call_s, calls):
    """32; more within a second, fewer beyond ten; 8 to 320 at any speed."""
    assert burst(call_s=call_s).calls == pytest.approx(calls, abs=1)


@pytest.mark.parametrize("feeds", [2, 3, 4])
def test_feeds_change_with_every_call(feeds):
    """No two calls in a row have the same feeds, and all are fed."""
    seen = []
    burst(lambda each: seen.append(int(each["x"][0])) or right(each), feeds=feeds)
    assert set(seen) == set(range(1, feeds + 1))
    assert all(one != other for one, other in pairwise(seen))


def test_equal_answers():
    """Nothing is odd."""
    assert burst() == Burst(CALLS)


@pytest.mark.parametrize("number", [8, 20])
def test_nan_now_and_then(number):
    """The first call that gave NaN is the worst."""
    calls = count(1)

    def infer(feeds):
        outputs = right(feeds)
        if next(calls) % number == 0:
            outputs["y"][3] = np.nan
        return outputs

    found = burst(infer)
    assert (found.worst.call, found.odd) == (number, CALLS // number)


def test_stale_now_and_then():
    """An answer of the call before is odd, since that had other feeds."""
    calls, before = count(1), {}

    def infer(feeds):
        last = before.get("y")
        before["y"] = right(feeds)["y"]
        return {"y": last if next(calls) == 20 else before["y"]}

    assert burst(infer).worst.call == 20


def test_drift():
    """The last call is the farthest off."""
    calls = count()
    found = burst(lambda feeds: {"y": right(feeds)["y"] * np.float32(1 + 1e-3 * next(calls))})
    assert found.worst.call == CALLS
    assert found.odd == CALLS - 1


def judged(outputs, noise=1e-7, precision="fp32"):
    """Judge the 20th of 32 calls."""
    return judge_burst(
        Burst(32, 2, Odd(20, 3, {"y": outputs})),
        FIRST[2],
        references=References(
            {"y": FIRST[2]["y"].astype(float)}, {"y": FIRST[2]["y"] * (1 + noise)}
        ),
        precision=precision,
        subject="toy-ort-fp32-b1",
    )


def test_no_odd_answer_passes():
    """The message counts the calls."""
    verdict = judge_burst(Burst(32), {}, precision="fp32", subject="toy")
    assert (verdict.status, verdict.code) == ("pass", "consistent")
    assert verdict.message == "toy: 32 calls in a row give the first answers to the last bit"


def test_rounding_passes():
    """A difference within the noise floor may come from sums in another order."""
    assert judged(FIRST[2]["y"] * np.float32(1 + 2e-7)).status == "pass"


@pytest.mark.parametrize("factor", [1 + 1e-5, -1, 0])
def test_another_answer_fails(factor):
    """The message has the call, the feeds and both values."""
    verdict = judged(FIRST[2]["y"] * np.float32(factor))
    assert (verdict.status, verdict.code) == ("fail", "not-repeatable")
    assert "toy-ort-fp32-b1, call 20 of 32 in a row (feeds 3)" in verdict.message
    assert f"y[9]: {np.float32(30) * np.float32(factor):.9g} instead of 30" in verdict.message
    assert "calls: 2 of 32 gave another answer" in verdict.message


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_never_passes(precision, value):
    """No noise floor excuses it."""
    outputs = FIRST[2]["y"].copy()
    outputs[3] = value
    verdict = judged(outputs, noise=10.0, precision=precision)
    assert (verdict.status, verdict.code) == ("fail", "not-repeatable")
    assert f"[3]: {value} instead of 12" in verdict.message


def test_another_shape():
    """An answer that cannot be compared is no answer."""
    verdict = judged(FIRST[2]["y"][:5])
    assert (verdict.status, verdict.code) == ("fail", "not-repeatable")
    assert run_burst(lambda _: {"y": FIRST[2]["y"][:5]}, FEEDS, FIRST, clock_of(0.3)).odd == 32


@pytest.mark.parametrize(
    ("value", "other", "far"),
    [(np.inf, -np.inf, True), (np.nan, 1.0, True), (1.0, np.nan, True), (np.inf, np.inf, False)],
)
def test_infinities_hide_no_difference(value, other, far):
    """What is not finite must be the same; the rest is compared with what is finite."""
    first, outputs = {"y": np.array([value, 2.0])}, {"y": np.array([other, 3.0])}
    assert distance_of(outputs, first) == (np.inf if far else 0.5)


def test_distance_of_integers():
    """Other classes are as far apart as their numbers."""
    assert distance_of({"y": np.array([1, 3])}, {"y": np.array([1, 4])}) == 0.25
