"""The judge of latency: budgets kept and missed on given samples."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.errors import OptionError, TimingError
from pytest_infer.judges.budget import Budget, StoredMedian, budget_from_keywords, judge_budget
from pytest_infer.timing.samples import Samples

SUBJECT = "resnet50-trt-fp16-b4"


def samples(*durations_ms, batch=4, clock="monotonic"):
    """Return samples of these durations."""
    return Samples(tuple(int(each * 1e6) for each in durations_ms), clock, batch, 3)


STEADY = samples(2, 2, 2, 2, 2)
EAGER = samples(6, 6, 6)


def test_without_a_budget_figures_are_told():
    """No budget is a pass that says what was measured."""
    verdict = judge_budget(STEADY, subject=SUBJECT)
    assert (verdict.judge, verdict.status, verdict.code) == ("latency", "pass", "measured")
    assert verdict.message == f"{SUBJECT} takes p50_ms 2, p99_ms 2"
    assert verdict.figures == {
        "p50_ms": 2.0, "p90_ms": 2.0, "p99_ms": 2.0, "throughput_per_s": 2000.0, "calls": 5,
    }  # fmt: skip


def test_eager_gives_the_speedup():
    """With eager's samples the figures have the ratio of the medians."""
    figures = judge_budget(STEADY, eager=EAGER).figures
    assert figures["speedup"] == 3
    assert figures["eager_p50_ms"] == 3 * figures["p50_ms"]
    assert "eager_launch_bound" not in figures
    waiting = replace(EAGER, enqueue_ns=EAGER.durations_ns)
    assert judge_budget(STEADY, eager=waiting).figures["eager_launch_bound"] == 1
    busy = replace(EAGER, waited_ns=sum(EAGER.durations_ns))
    assert judge_budget(STEADY, eager=busy).figures["eager_waited_share"] == 1


def test_a_kept_budget_tells_each_limit():
    """A budget that is met exactly is kept."""
    budget = Budget(p50_ms=2, throughput_per_s=2000, speedup=3)
    verdict = judge_budget(STEADY, budget, eager=EAGER, subject=SUBJECT)
    assert (verdict.status, verdict.code) == ("pass", "within-budget")
    assert verdict.message == (
        f"{SUBJECT} keeps its budget: p50_ms 2 <= 2 (1 x), "
        "throughput_per_s 2000 >= 2000 (1 x), speedup 3 >= 3 (1 x)"
    )


def test_a_missed_latency_is_over_budget():
    """One slow call breaks p99, and the message tells the budget that would have passed."""
    budget = Budget(p50_ms=2.5, p99_ms=3)
    verdict = judge_budget(samples(2, 2, 2, 2, 9), budget, subject=SUBJECT)
    assert (verdict.status, verdict.code) == ("fail", "over-budget")
    assert verdict.message == (
        f"{SUBJECT} is over budget\n"
        "  why:  p99_ms 8.72 > 3 (2.91 x)\n"
        "  mend: find what became slow, or accept it: "
        "@pytest.mark.latency_budget(p50_ms=2.5, p99_ms=8.8)"
    )


def test_a_missed_rate_is_too_slow():
    """Throughput and speed-up below their budgets are told together."""
    budget = Budget(throughput_per_s=2500, speedup=3.5)
    verdict = judge_budget(STEADY, budget, eager=EAGER, subject=SUBJECT)
    assert (verdict.status, verdict.code) == ("fail", "too-slow")
    assert verdict.message == (
        f"{SUBJECT} is too slow\n"
        "  why:  throughput_per_s 2000 < 2500 (0.8 x)\n"
        "        speedup 3 < 3.5 (0.857 x)\n"
        "  mend: find what became slow, or accept it: "
        "@pytest.mark.latency_budget(throughput_per_s=2000.0, speedup=3.0)"
    )


@pytest.mark.parametrize("name", ["p50_ms", "p90_ms", "p99_ms", "throughput_per_s", "speedup"])
@given(duration=st.integers(1, 10**12), limit=st.floats(1e-3, 1e3))
def test_the_pasted_budget_would_have_passed(name, duration, limit):
    """Whatever was measured, the mark in the message makes it pass."""
    measured = Samples((duration,), "monotonic", 1, 0)
    eager = Samples((10**6,), "monotonic", 1, 0)
    verdict = judge_budget(measured, Budget(**{name: limit}), eager=eager)
    if verdict.status == "fail":
        pasted = float(verdict.message.rpartition(f"{name}=")[2].rstrip(")"))
        assert judge_budget(measured, Budget(**{name: pasted}), eager=eager).status == "pass"


def test_a_speedup_without_eager_is_an_error():
    """A speed-up cannot be judged without eager, and the message says how to get it."""
    with pytest.raises(TimingError) as caught:
        judge_budget(STEADY, Budget(speedup=3), subject=SUBJECT)
    assert str(caught.value) == (
        f"{SUBJECT}: cannot judge the speed-up\n"
        "  why:  the budget names one, and eager was not measured\n"
        "  mend: let eager run in the same session (--engine=eager,...), or drop speedup="
    )


@pytest.mark.parametrize(
    ("eager", "why"),
    [
        (samples(6, batch=8), "batch 4 by monotonic against eager's batch 8 by monotonic"),
        (
            samples(6, clock="cuda-event"),
            "batch 4 by monotonic against eager's batch 4 by cuda-event",
        ),
    ],
)
def test_unlike_samples_are_not_compared(eager, why):
    """Samples of another batch or clock give no speed-up."""
    with pytest.raises(TimingError) as caught:
        judge_budget(STEADY, eager=eager, subject=SUBJECT)
    assert str(caught.value) == (
        f"{SUBJECT}: cannot compare with eager's samples\n"
        f"  why:  {why}\n"
        "  mend: measure both with the same feeds and the same clock"
    )


def test_an_unknown_keyword_names_the_nearest():
    """A keyword that is no figure is refused with the nearest one."""
    with pytest.raises(OptionError) as caught:
        budget_from_keywords({"p95_ms": 2})
    assert str(caught.value) == (
        "unknown keyword of @pytest.mark.latency_budget 'p95_ms'\n"
        "  why:  valid choices: p50_ms, p50_over_baseline, p90_ms, p99_ms, speedup, "
        "throughput_per_s\n"
        "  mend: did you mean 'p99_ms'?"
    )


@pytest.mark.parametrize("value", [0, -1.0, float("inf"), float("nan"), "2", True])
def test_a_budget_is_a_positive_number(value):
    """Anything but a positive, finite number is refused."""
    with pytest.raises(OptionError) as caught:
        budget_from_keywords({"p50_ms": value})
    assert str(caught.value) == (
        f"cannot use budget p50_ms={value!r}\n"
        "  why:  it is not a positive, finite number\n"
        "  mend: give a plain number, such as @pytest.mark.latency_budget(p50_ms=2.0)"
    )


ELSEWHERE = replace(EAGER, machine="laptop-0", batch=8, clock="cuda-event")
HERE = replace(STEADY, machine="jetson-1")


def test_no_speedup_over_another_machine():
    """Eager's samples of another machine give no speed-up, whatever their clock, and it is said."""
    verdict = judge_budget(HERE, eager=ELSEWHERE, subject=SUBJECT)
    assert (verdict.status, verdict.code) == ("pass", "measured")
    assert "speedup" not in verdict.figures
    assert verdict.message == (
        f"{SUBJECT} takes p50_ms 2, p99_ms 2; no speed-up, for eager ran on laptop-0"
    )
    kept = judge_budget(HERE, Budget(p50_ms=2), eager=ELSEWHERE, subject=SUBJECT)
    assert kept.message == (
        f"{SUBJECT} keeps its budget: p50_ms 2 <= 2 (1 x); no speed-up, for eager ran on laptop-0"
    )


def test_a_speedup_over_another_machine_is_no_pass():
    """A speed-up that is demanded fails where there is none, with the mend."""
    verdict = judge_budget(HERE, Budget(p50_ms=2, speedup=0.1), eager=ELSEWHERE, subject=SUBJECT)
    assert (verdict.status, verdict.code) == ("fail", "other-machine")
    assert verdict.message == (
        f"{SUBJECT}: cannot judge the speed-up\n"
        "  why:  it ran on jetson-1, and eager on laptop-0\n"
        "  mend: run eager there too (--infer-host=eager=SPEC of that machine), or drop speedup="
    )


def test_a_missed_latency_comes_before_a_speedup_that_is_not_there():
    """What can be judged is judged: a latency over its budget is reported as ever."""
    verdict = judge_budget(HERE, Budget(p50_ms=1, speedup=0.1), eager=ELSEWHERE, subject=SUBJECT)
    assert (verdict.status, verdict.code) == ("fail", "over-budget")


def test_kept_over_the_baseline():
    """The median may be as many times the stored one as the mark says, and the ratio is shown."""
    verdict = judge_budget(STEADY, Budget(p50_over_baseline=1.1), stored=StoredMedian(2 / 1.1))
    assert (verdict.status, verdict.code) == ("pass", "within-budget")
    assert verdict.figures["p50_over_baseline"] == pytest.approx(1.1)


def test_over_the_baseline():
    """A median that is too many times the stored one is over budget."""
    budget = Budget(p50_over_baseline=1.1)
    verdict = judge_budget(STEADY, budget, stored=StoredMedian(1.6), subject=SUBJECT)
    assert (verdict.status, verdict.code) == ("fail", "over-budget")
    assert verdict.message == (
        f"{SUBJECT} is over budget\n"
        "  why:  p50_over_baseline 1.25 > 1.1 (1.14 x)\n"
        "  mend: find what became slow, or accept it: "
        "@pytest.mark.latency_budget(p50_over_baseline=1.3)"
    )


@pytest.mark.parametrize(
    ("stored", "code", "lack"),
    [
        (None, "no-baseline", "no stored one was looked up"),
        (StoredMedian(lack="nothing is stored"), "no-baseline", "nothing is stored"),
        (StoredMedian(lack="replaced", code="to-be-stored"), "to-be-stored", "replaced"),
    ],
)
def test_nothing_stored_is_new(stored, code, lack):
    """Without an entry a ratio is neither kept nor missed; the figures are shown all the same."""
    budget = Budget(p50_ms=3, p50_over_baseline=1.1)
    verdict = judge_budget(STEADY, budget, eager=EAGER, stored=stored, subject=SUBJECT)
    assert (verdict.status, verdict.code) == ("new", code)
    assert verdict.message == f"{SUBJECT}: cannot judge p50_over_baseline: {lack}"
    assert verdict.figures == judge_budget(STEADY, eager=EAGER).figures


def test_named_baselines_must_have_the_case():
    """Where a person named the baselines, an entry that is missing is a failure."""
    stored = StoredMedian(lack="mine has no p50 of it", is_demanded=True)
    budget = Budget(p50_over_baseline=1.1)
    verdict = judge_budget(STEADY, budget, stored=stored, subject=SUBJECT)
    assert (verdict.status, verdict.code) == ("fail", "no-baseline")
    assert verdict.message == (
        f"{SUBJECT}: cannot judge p50_over_baseline\n"
        "  why:  mine has no p50 of it\n"
        "  mend: store it, or drop p50_over_baseline="
    )


def test_what_was_missed_goes_before_what_is_new():
    """A limit that is missed fails, whether or not there is a baseline for another one."""
    budget = Budget(p50_ms=1, p50_over_baseline=1.1)
    assert judge_budget(STEADY, budget, stored=StoredMedian()).code == "over-budget"


def test_the_replay_gives_a_speedup_without_launches():
    """Over eager's replay the factor is another one, and both are told; elsewhere there is none."""
    figures = judge_budget(STEADY, eager=EAGER, replay=samples(3, 3, 3)).figures
    assert (figures["speedup"], figures["speedup_over_replay"]) == (3, 1.5)
    assert figures["eager_replay_p50_ms"] == 3
    elsewhere = replace(samples(3, 3, 3), machine="another")
    assert "speedup_over_replay" not in judge_budget(STEADY, replay=elsewhere).figures
    assert "speedup_over_replay" not in judge_budget(STEADY, eager=EAGER).figures


def test_a_replay_by_another_clock():
    """It is refused, as eager's samples are."""
    with pytest.raises(TimingError, match="cannot compare with eager's samples"):
        judge_budget(STEADY, replay=samples(3, 3, clock="cuda-event"))
