"""What rounds say: medians of the clean ones, and why others do not count."""

from math import isnan, log

import pytest

from pytest_infer.timing.measurement import measurement_from_rounds
from pytest_infer.timing.rounds import Round


def a_round(engine=20.0, reference=10.0, fixed=5.0, disturbance="", **more):
    """Return a round of durations in ms."""
    arms = {"engine": engine, "reference": reference, "fixed": fixed, **more}
    return Round({name: value * 1e6 for name, value in arms.items()}, disturbance)


def test_ratios_are_of_the_faster_moments():
    """Theta is ln(engine / reference), rho ln(reference / fixed kernel), of 20th percentiles."""
    rounds = [a_round()] * 2 + [a_round(engine=22)] * 3 + [a_round(engine=90, disturbance="clock")]
    found = measurement_from_rounds(rounds)
    assert found.theta == pytest.approx(log(2))
    assert found.rho == pytest.approx(log(2))
    assert found.engine_ms == 20.0
    assert (found.kept, found.dropped, found.duet) == (5, {"clock": 1}, None)
    assert found.is_usable
    assert found.told() == "5 of 6 rounds kept (dropped: 1 clock)"


def test_the_percentile_is_interpolated():
    """Of 10, 20, ... 60 ms the 20th percentile is 20 ms, as numpy has it."""
    rounds = [a_round(engine=10.0 * number) for number in range(1, 7)]
    assert measurement_from_rounds(rounds).engine_ms == pytest.approx(20.0)


def test_four_rounds_are_too_few():
    """Under five clean rounds a measurement is not usable."""
    assert not measurement_from_rounds([a_round()] * 4).is_usable


def test_nothing_clean_has_no_figures():
    """Without a clean round every figure is NaN, and nothing is usable."""
    found = measurement_from_rounds([a_round(disturbance="run-queue")] * 40)
    assert isnan(found.theta)
    assert isnan(found.rho)
    assert isnan(found.engine_ms)
    assert (found.kept, found.dropped) == (0, {"run-queue": 40})


def test_the_stored_artefact_is_a_duet():
    """Beside the old artefact it is each round's own ratio that counts, in the median.

    The machine changes its speed from round to round, for both alike.
    """
    speeds = [a_round(engine=20.0 * pace, stored=16.0 * pace) for pace in (1, 3, 0.5, 2)]
    wild = [a_round(engine=20.0, stored=200.0)]
    assert measurement_from_rounds(speeds + wild).duet == pytest.approx(log(20 / 16))


@pytest.mark.parametrize(("probe", "kept"), [(5.14, 6), (5.16, 5), (4.86, 6), (4.84, 5)])
def test_a_round_at_another_clock_is_dropped(probe, kept):
    """Where the fixed kernel has fixed cycles, 3 % more or less is another clock."""
    rounds = [a_round()] * 5 + [a_round(fixed=probe)]
    found = measurement_from_rounds(rounds, checks_clock=True)
    assert found.kept == kept
    assert found.dropped == ({} if kept == 6 else {"clock": 1})
    assert measurement_from_rounds(rounds).kept == 6
