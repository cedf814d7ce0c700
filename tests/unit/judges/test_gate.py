"""The gate's decision, from plain numbers: when it looks again, fails, passes, cannot tell."""

from dataclasses import replace
from math import log

import pytest

from pytest_infer.judges.gate import (
    MOST_TRIES,
    Stored,
    decide,
    measure_until_decided,
    pooled_spread,
    quantile,
)
from pytest_infer.judges.gate_verdict import verdict_of
from pytest_infer.judges.terms import GPU, LAUNCH_BOUND, OTHER_GPU, SHARED_CPU, with_rebuild
from pytest_infer.timing.measurement import Measurement

THREE = replace(SHARED_CPU, spread=0.012, looks=3)
"""A suspect is decided by three looks."""

STORED = Stored(
    thetas=[1.0, 1.002, 0.998, 1.001, 0.999],
    rhos=[2.0, 2.01, 1.99, 2.0, 2.0],
    engine_ms=[8.0, 8.1, 7.9, 8.0, 8.0],
)


def look(change=0.0, *, engine=0.0, kept=12, duet=None, dropped=None):
    """Return a measurement that is slower than the stored ones by ``change``, as a share."""
    return Measurement(
        theta=1.0 + log(1 + change),
        rho=2.0 + log(1 + engine),
        engine_ms=10.0,
        kept=kept,
        dropped=dropped or {},
        duet=None if duet is None else log(1 + duet),
    )


def outcome(*looks, terms=THREE, cases=1):
    """Return the outcome of looks, None if another one is needed."""
    found = decide(STORED, looks, terms, cases=cases)
    return found and found.outcome


@pytest.mark.parametrize("change", [0.0, 0.0199, -0.0195])
def test_one_calm_look_is_the_end_of_it(change):
    """Less than 0.8 of delta, either way, needs no second process."""
    assert outcome(look(change)) == "unchanged"


@pytest.mark.parametrize("change", [0.021, -0.021, 0.5])
def test_a_suspect_is_looked_at_again(change):
    """More than that needs three usable measurements."""
    assert outcome(look(change)) is None
    assert outcome(look(change), look()) is None
    assert outcome(look(change), look(), look()) is not None


@pytest.mark.parametrize(
    ("change", "expected"),
    [(0.026, "regressed"), (0.024, "unchanged"), (-0.024, "unchanged"), (-0.026, "improved")],
)
def test_three_looks_are_pooled_against_delta(change, expected):
    """Two and a half per cent either way on a shared CPU."""
    assert outcome(*[look(change)] * 3) == expected


@pytest.mark.parametrize(
    ("change", "expected"), [(0.024, "unchanged"), (0.028, "unchanged"), (0.029, "regressed")]
)
def test_six_looks_against_stored_measurements_on_a_shared_cpu(change, expected):
    """A suspect after three is looked at three times more: 6 equal looks may be 2.83 % slower.

    sqrt((10 x 0.025^2 + 1e-5) / 19) x t(0.99, 19) = 2.5395 x sqrt(1/6 + 1/5) is ln(1.0283).
    """
    first = outcome(*[look(change)] * 3, terms=SHARED_CPU)
    assert first == (None if change > 0.025 else "unchanged")
    assert outcome(*[look(change)] * 6, terms=SHARED_CPU) == expected


def test_three_looks_that_return_to_nothing_are_enough():
    """It is their mean that is suspect or not; a slower engine is suspect, too."""
    assert outcome(look(0.05), look(), look(), terms=SHARED_CPU) == "unchanged"
    assert outcome(*[look(engine=0.2)] * 3, terms=SHARED_CPU) is None
    assert outcome(*[look(engine=0.2)] * 6, terms=SHARED_CPU) == "engine-regressed"


def test_three_looks_beside_the_stored_artefact_on_a_shared_cpu():
    """What is beside the engine needs no more of them."""
    assert outcome(*[look(duet=0.05)] * 3, terms=SHARED_CPU) == "regressed"


def test_a_suspect_of_which_too_little_is_usable():
    """Nine tries at most: it is decided by what they gave, if that is three."""
    bad = look(kept=4, dropped={"run-queue": 36})
    tries = [*[look(0.2)] * 4, *[bad] * 4]
    assert outcome(*tries, terms=SHARED_CPU) is None
    assert outcome(*tries, bad, terms=SHARED_CPU) == "regressed"


def test_one_wild_look_among_three_is_no_regression():
    """It is the mean that counts."""
    assert outcome(look(0.06), look(0.0), look(0.0)) == "unchanged"


def test_many_cases_share_the_chance_of_a_false_alarm():
    """With a thousand gated cases 3.1 % is no longer beyond chance; 6 % is."""
    assert outcome(*[look(0.031)] * 3, cases=1000) == "unchanged"
    assert outcome(*[look(0.06)] * 3, cases=1000) == "regressed"


def test_a_baseline_that_spreads_widens_the_limit():
    """The entry's own spread counts beside the known one."""
    wild = Stored([1.0, 1.06, 0.94, 1.03, 0.97], [2.0] * 5)
    assert decide(wild, [look(0.04)] * 3, THREE).outcome == "unchanged"
    assert decide(wild, [look(0.04)] * 3, THREE).limit > 0.04


def test_a_gpu_is_gated_below_one_per_cent():
    """Bound by the device, a slowdown of 1 % fails; bound by launches, 10 % is the limit."""
    assert outcome(look(0.01), look(0.01), look(0.01), terms=GPU) == "regressed"
    assert outcome(*[look(0.09)] * 3, terms=LAUNCH_BOUND) == "unchanged"
    assert outcome(*[look(0.15)] * 3, terms=LAUNCH_BOUND) == "regressed"


def test_a_slow_host_makes_launches_slow_and_never_fast():
    """An engine whose launches bind was as fast once: the other two looks were of a slow host."""
    looks = [look(0.4), look(0.4), look(0.09)]
    decision = decide(STORED, looks, LAUNCH_BOUND)
    assert decision.outcome == "unchanged"
    assert decision.change > decision.limit
    assert decision.acquitting_change == pytest.approx(0.09, abs=1e-3)
    told = verdict_of(decision, looks, STORED, LAUNCH_BOUND, subject="net", mend="x").message
    assert "the fastest of them says +9.00%, and 10% is allowed: other work" in told
    assert outcome(look(0.4), look(0.4), look(0.11), terms=LAUNCH_BOUND) == "regressed"
    assert outcome(look(0.4), look(0.4), look(0.09), terms=OTHER_GPU) == "regressed"
    beside = [look(0.4, duet=0.4), look(0.4, duet=0.4), look(0.0, duet=0.3)]
    assert outcome(*beside, terms=LAUNCH_BOUND) == "regressed"


def test_a_reference_net_that_the_host_slowed_acquits_nothing():
    """The engine is 25 % slower; in one process the net is, too, but over the fixed kernel not."""
    looks = [look(0.25), look(0.25), look(1.25 / 1.17 - 1, engine=0.17)]
    assert outcome(*looks, terms=LAUNCH_BOUND) == "regressed"
    assert outcome(*looks[:2], look(0.05, engine=-0.1), terms=LAUNCH_BOUND) == "unchanged"


def test_nothing_is_acquitted_where_something_else_decides():
    """Where the reference net is slower too, and where too few looks are usable."""
    looks = [look(0.4, engine=0.6), look(0.4, engine=0.6), look(0.0, engine=0.6)]
    slower = decide(STORED, looks, LAUNCH_BOUND)
    assert (slower.outcome, slower.acquitting_change) == ("regressed", None)
    unusable = [look(0.4, kept=1), look(0.4, kept=1), look(0.0, kept=1)] * 2
    noisy = decide(STORED, unusable, LAUNCH_BOUND)
    assert (noisy.outcome, noisy.acquitting_change) == ("noisy", None)


def test_the_stored_artefact_beside_it_clears():
    """A machine that drifted slows the old artefact as well."""
    suspect = look(0.05)
    assert outcome(suspect, look(0.05, duet=0.0), look(0.05, duet=0.01)) == "unchanged"
    assert outcome(suspect, look(0.05, duet=0.05), look(0.05, duet=0.04)) == "regressed"


@pytest.mark.parametrize(
    ("duet", "expected"),
    [(0.011, "unchanged"), (-0.011, "unchanged"), (0.013, None), (-0.013, None)],
)
def test_a_first_look_beside_the_stored_artefact(duet, expected):
    """Less than 0.8 of 1.5 % ends it, whatever the reference net says; more does not."""
    assert outcome(look(0.3, duet=duet)) == expected


@pytest.mark.parametrize(
    ("duet", "expected"),
    [(0.016, "regressed"), (0.014, "unchanged"), (-0.014, "unchanged"), (-0.017, "improved")],
)
def test_three_looks_beside_the_stored_artefact(duet, expected):
    """One and a half per cent either way on a shared CPU."""
    assert outcome(*[look(0.0, duet=duet)] * 3) == expected


def test_looks_beside_the_stored_artefact_that_spread_widen_the_limit():
    """Their own spread counts beside the known one."""
    wild = [look(duet=duet) for duet in (-0.04, 0.02, 0.08)]
    assert outcome(*wild) == "unchanged"
    assert outcome(*[look(duet=0.02)] * 3) == "regressed"


def test_a_slower_engine_shows_on_the_reference_net():
    """The ratio hides what slows both nets; the fixed kernel does not."""
    assert outcome(look(engine=0.07)) == "unchanged"
    assert outcome(look(engine=0.12)) is None
    assert outcome(*[look(engine=0.12)] * 3) == "engine-regressed"
    assert outcome(*[look(engine=0.095)] * 3) == "unchanged"


def test_unusable_looks_are_no_evidence():
    """Six tries for three usable ones; then nothing is known."""
    noisy = look(kept=4, dropped={"run-queue": 36})
    assert outcome(noisy) is None
    assert outcome(noisy, look()) == "unchanged"
    assert outcome(*[noisy] * 5) is None
    assert outcome(*[noisy] * MOST_TRIES) == "noisy"
    assert outcome(*[noisy] * 4, look(0.05), look(0.05)) == "noisy"
    assert outcome(*[noisy] * 3, *[look(0.05)] * 3) == "regressed"


@pytest.mark.parametrize("reason", ["thermal", "clock", "power-brake"])
def test_a_device_that_slowed_itself_down_is_throttled(reason):
    """What the device does to itself has a separate code."""
    nothing = Measurement(float("nan"), float("nan"), float("nan"), 0, {reason: 40})
    assert outcome(*[nothing] * MOST_TRIES) == "throttled"


def test_measuring_ends_with_the_decision():
    """As many processes are started as are needed."""
    looks = iter([look(0.05), look(0.05), look(9.0)])
    decision, taken = measure_until_decided(look(0.05), lambda: next(looks), STORED, THREE, cases=1)
    assert (decision.outcome, len(taken)) == ("regressed", 3)


def test_the_spread_is_pooled_with_what_is_known():
    """Ten degrees of freedom of the prior, K - 1 of each sample, whatever their means are."""
    assert pooled_spread([[1.0]], 0.01) == pytest.approx(0.01)
    one = ((10 * 1e-4 + 2e-4) / 11) ** 0.5
    assert pooled_spread([[1.0, 1.02], [5.0]], 0.01) == pytest.approx(one)
    both = ((10 * 1e-4 + 2e-4 + 8e-4) / 12) ** 0.5
    assert pooled_spread([[1.0, 1.02], [5.0, 5.04]], 0.01) == pytest.approx(both)


def test_the_quantile_is_students():
    """T of 0.99 with 14 degrees of freedom, from a printed table."""
    assert quantile(0.01, 14) == pytest.approx(2.6245, abs=1e-4)


def verdict(*looks):
    """Return the verdict on looks."""
    decision = decide(STORED, looks, THREE)
    return verdict_of(
        decision,
        looks,
        STORED,
        THREE,
        subject="toy-ort-fp32-b1",
        mend="pytest suites --update-baselines",
        since="since then: onnxruntime 1.30 -> 1.31",
    )


def test_a_regression_tells_everything():
    """Change, limit, spread, the engine, rounds, versions and the mend."""
    found = verdict(look(0.05), look(0.05), look(0.05, kept=10, dropped={"run-queue": 3}))
    assert (found.status, found.code) == ("fail", "regressed")
    assert found.message == (
        "toy-ort-fp32-b1 regressed: 10 ms now, 8 ms stored (+25.0%); "
        "+5.0% against the reference net\n"
        "  why:  since then: onnxruntime 1.30 -> 1.31\n"
        "        +5.00% against the reference net in 3 of 3 measurements, 2.50% is allowed "
        "(CPU of at most 4 cores)\n"
        "        stored: 5 measurements; one spreads by 0.95%\n"
        "        the engine itself: +0.0% on the reference net\n"
        "        measurement 1: 12 of 12 rounds kept\n"
        "        measurement 2: 12 of 12 rounds kept\n"
        "        measurement 3: 10 of 13 rounds kept (dropped: 3 run-queue)\n"
        "  mend: find what became slow, or accept it: pytest suites --update-baselines"
    )
    assert found.figures["change"] == pytest.approx(0.05)
    assert found.figures["rounds_dropped"] == 3


def test_a_history_follows_what_no_builder_chooses():
    """Over the fixed kernel, where the GPU binds; a CPU's kernel and launches say less."""
    looks = [replace(look(0.05, engine=0.02), enqueue_share=0.1)] * 3
    decision = decide(STORED, looks, GPU)
    for terms, expected in ((GPU, 3.0 + log(1.05) + log(1.02)), (LAUNCH_BOUND, None)):
        found = verdict_of(decision, looks, STORED, terms, subject="a", mend="b")
        assert found.figures.get("over_kernel") == (expected and pytest.approx(expected))
    assert "over_kernel" not in verdict(look()).figures


def test_what_stood_beside_it_is_told():
    """The stored artefact decides; what the reference net says since then is told too."""
    assert verdict(*[look(0.03, duet=0.05)] * 3).message.startswith(
        "toy-ort-fp32-b1 regressed: 10 ms now, 8 ms stored (+25.0%); "
        "+5.0% against its stored artefact\n"
        "  why:  since then: onnxruntime 1.30 -> 1.31\n"
        "        +5.00% against its stored artefact in 3 of 3 measurements, 1.50% is allowed "
        "(CPU of at most 4 cores)\n"
        "        one measurement beside it spreads by 0.64%\n"
        "        +3.00% against the reference net since it was stored\n"
    )


@pytest.mark.parametrize(
    ("looks", "status", "code"),
    [
        ([look()], "pass", "unchanged"),
        ([look(-0.05)] * 3, "pass", "improved"),
        ([look(engine=0.2)] * 3, "fail", "engine-regressed"),
        ([look(kept=0)] * 6, "inconclusive", "inconclusive-noisy"),
        ([look(kept=0, dropped={"thermal": 40})] * 6, "inconclusive", "inconclusive-throttled"),
    ],
)
def test_every_outcome_has_a_code(looks, status, code):
    """Codes are stable, and each has its status."""
    found = verdict(*looks)
    assert (found.judge, found.status, found.code) == ("baseline", status, code)


def test_without_usable_measurements_nothing_is_said_of_now():
    """What the engine takes now is of measurements that count."""
    assert " ms now" not in verdict(*[look(kept=0)] * 6).message
    assert "8 ms stored" in verdict(look(), look(kept=0)).message


def test_others_on_the_gpu_are_named():
    """Who else was there belongs to the message; nobody known is not a line."""
    beside = replace(look(), environment={"foreign_processes": ["pid 7 (python3), 518 MiB"]})
    assert "others on the GPU: pid 7 (python3), 518 MiB" in verdict(beside).message
    assert "others" not in verdict(replace(look(), environment={"foreign_processes": None})).message


@pytest.mark.parametrize(
    ("change", "engine", "expected"),
    [
        (0.17, -0.145, "unchanged"),  # the reference net's builder found a faster plan
        (-0.20, 0.25, "unchanged"),  # … or a slower one
        (0.01, 0.0, "regressed"),
        (-0.01, 0.0, "improved"),
        (0.0, 0.03, "engine-regressed"),
        (0.05, 0.03, "regressed"),  # slower against the reference net too
        (-0.52, 1.68, "regressed"),  # 28 % slower at level 0, and the reference net 168 %
    ],
)
def test_on_a_gpu_the_fixed_kernel_decides(change, engine, expected):
    """What a builder made of the reference net is no change of this one."""
    looks = [look(change, engine=engine)] * 3
    assert outcome(*looks, terms=GPU) == expected


def test_a_process_that_is_unlike_the_others_is_left_out():
    """On an H200 one process of three ran a net 6 % faster, which was 5 % slower in the others."""
    looks = [look(0.05), look(-0.013, engine=-0.03), look(0.052)]
    terms = with_rebuild(replace(OTHER_GPU, by_kernel=True))
    found = decide(STORED, looks, terms)
    assert (found.outcome, found.left_out) == ("regressed", 1)
    assert found.change == pytest.approx(0.051, abs=0.001)
    verdict = verdict_of(found, looks, STORED, terms, subject="toy", mend="store it")
    assert "in 2 of 3 measurements" in verdict.message
    assert "left out: 1, too far from the others" in verdict.message
    assert decide(STORED, looks, replace(terms, drops_outliers=False)).outcome == "unchanged"


def test_a_stored_process_that_is_unlike_the_others_is_left_out():
    """One of five was 6 % faster when they were stored: by the mean, what is as fast is slower."""
    stored = Stored([1.0, 1.0, 0.94, 1.0, 1.0], [2.0] * 5, [8.0, 8.0, 7.5, 8.0, 8.0])
    looks = [look(0.0)] * 3
    assert decide(stored, looks, GPU).change == 0
    by_mean = replace(GPU, drops_outliers=False)
    assert decide(stored, looks, by_mean).change == pytest.approx(0.06 / 5, abs=1e-4)


def test_a_stored_reference_net_that_is_unlike_the_others_is_left_out():
    """One of five ran it 30 % slower when they were stored: the limit is that of the other four."""
    stored = replace(STORED, thetas=[1.0, 1.0, 1.0, 1.0, 0.7], rhos=[2.0, 2.0, 2.0, 2.0, 2.3])
    looks = [look(0.0, engine=0.03)] * 3
    assert decide(stored, looks, GPU).outcome == "engine-regressed"


def test_one_calm_look_at_the_fixed_kernel_is_the_end_of_it():
    """A reference net that is 15 % faster asks for no second process."""
    assert outcome(look(0.17, engine=-0.1453), terms=GPU) == "unchanged"


def test_a_slower_engine_is_seen_beside_the_stored_artefact():
    """Both builds of the net are slower, and so is the reference net."""
    looks = [look(0.0, engine=0.05, duet=0.0)] * 3
    assert outcome(*looks, terms=GPU) == "engine-regressed"
    assert outcome(looks[0], terms=GPU) is None
    looks = [look(0.17, engine=-0.145, duet=0.0)] * 3
    assert outcome(*looks, terms=GPU) == "unchanged"


@pytest.mark.parametrize("terms", [GPU, OTHER_GPU, THREE])
def test_another_plan_may_differ_more(terms):
    """Three per cent, beside the stored one too, and what builds spread by."""
    wide = with_rebuild(terms)
    assert wide.delta == wide.duet_delta == 0.03
    assert wide.spread == pytest.approx((terms.spread**2 + 0.01**2) ** 0.5)
    assert outcome(*[look(0.029)] * 3, terms=wide) == "unchanged"
    assert outcome(*[look(0.06)] * 3, terms=wide) == "regressed"
    assert outcome(*[look(0.06, duet=0.029)] * 3, terms=wide) == "unchanged"
    assert outcome(*[look(0.0, duet=0.035)] * 3, terms=wide) == "regressed"


@pytest.mark.parametrize(("terms", "is_told"), [(LAUNCH_BOUND, True), (GPU, False)])
def test_what_to_do_where_launches_bind(terms, is_told):
    """A wide limit comes with the way to a narrow one."""
    looks = [look()]
    verdict = verdict_of(
        decide(STORED, looks, terms), looks, STORED, terms, subject="toy", mend="store it"
    )
    assert ("a CUDA graph (cuda_graph=true" in verdict.message) == is_told
