"""Metrics on arrays whose figures can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pytest_infer.errors import InferError, OptionError
from pytest_infer.judges import metrics as module
from pytest_infer.judges.metrics import (
    cosine,
    gain,
    mae,
    max_abs,
    metric,
    metrics,
    relative_l2,
    rmse,
    softmax_kl,
    sqnr_db,
)

NUMBERS = np.array([3.0, -4.0, 1.0])
FINITE = arrays(np.float64, 8, elements=st.floats(-1e6, 1e6))


@pytest.fixture
def registry(monkeypatch):
    """Let a test register metrics that are gone after it."""
    monkeypatch.setattr(module, "_registry", dict(module._registry))


@pytest.mark.parametrize(
    ("judge", "expected"),
    [
        (mae, 2.5),
        (max_abs, 4),
        (rmse, 3),
        (relative_l2, 6 / 5),
        (sqnr_db, -20 * np.log10(6 / 5)),
        (gain, 1 - 15 / 25),
        (cosine, 15 / (5 * 41**0.5)),
    ],
)
def test_each_metric_is_its_formula(judge, expected):
    """The figures of (0, 5, 4, 0) against (0, 3, 0, 4) are those worked out by hand."""
    assert judge([0, 5, 4, 0], [0, 3, 0, 4]) == pytest.approx(expected)


def test_softmax_kl_is_its_formula():
    """Chances of 1/2, 1/2 against 1/4, 3/4: a half of ln 2 and one of ln(2/3), meant over rows."""
    even, odd = [0.0, 0.0], [0.0, np.log(3)]
    expected = 0.5 * np.log(2) + 0.5 * np.log(2 / 3)
    assert softmax_kl([odd], [even]) == pytest.approx(expected)
    assert softmax_kl([odd, even], [even, even]) == pytest.approx(expected / 2)
    assert softmax_kl(np.add([odd], 1000.0), [odd]) == pytest.approx(0.0, abs=1e-12)


def test_softmax_kl_of_a_class_that_cannot_be():
    """A class of no chance at all counts nothing, unless the output rules out what may be."""
    certain = [[0.0, -np.inf]]
    assert softmax_kl([[0.0, -5.0]], certain) == pytest.approx(np.log1p(np.exp(-5)))
    assert softmax_kl(certain, [[0.0, 0.0]]) == np.inf


def test_comparison_is_in_float64():
    """A difference that float16 would round away or overflow on is seen."""
    assert max_abs(np.float16([60000]), np.float16([-60000])) == 120000


def test_shapes_are_never_broadcast():
    """Two shapes that numpy would broadcast are refused with both shapes."""
    with pytest.raises(InferError) as caught:
        mae(np.ones((2, 3)), np.ones(3))
    assert str(caught.value) == (
        "cannot compute mae\n"
        "  why:  the shapes are (2, 3) and (3,)\n"
        "  mend: compare two arrays of one shape that hold at least one element"
    )


def test_zero_reference():
    """Without a reference to relate to, an error is infinite and the angle undefined is not 1."""
    zero, one = np.zeros(3), np.ones(3)
    assert relative_l2(one, zero) == np.inf
    assert relative_l2(zero, zero) == 0
    assert cosine(one, zero) == 0
    assert cosine(zero, zero) == 1


@given(FINITE.map(np.rint), FINITE.map(np.rint))
def test_a_scale_is_never_more_than_the_error(actual, expected):
    """The gain is at most the relative L2 error, and equal to it where nothing else is wrong."""
    assert gain(actual, expected) <= relative_l2(actual, expected) * (1 + 1e-9)
    assert gain(1.01 * NUMBERS, NUMBERS) == pytest.approx(relative_l2(1.01 * NUMBERS, NUMBERS))


def test_no_error_has_no_noise():
    """Equal arrays have an infinite signal to noise ratio."""
    assert sqnr_db(NUMBERS, NUMBERS) == np.inf


@given(FINITE)
@example(np.full(5, 6.5447066e-161))
def test_equal_arrays_have_no_error(values):
    """Every metric says of equal arrays that nothing is wrong."""
    assert mae(values, values) == max_abs(values, values) == relative_l2(values, values) == 0
    assert cosine(values, values) == pytest.approx(1)


@given(FINITE, st.floats(0.5, 2))
def test_cosine_is_blind_to_scale_and_relative_l2_is_not(values, factor):
    """A planted scale of s is a relative L2 of |s - 1|, and a cosine of 1."""
    if np.max(np.abs(values)) > 1e-3:
        assert cosine(values * factor, values) == pytest.approx(1)
        assert relative_l2(values * factor, values) == pytest.approx(abs(factor - 1), abs=1e-9)


def test_registry_is_sorted_and_readable():
    """The registry tells name, unit and direction of the metrics of the suites."""
    assert [(each.name, each.unit, each.better) for each in metrics().values()] == [
        ("cosine", "", "higher"),
        ("gain", "", "lower"),
        ("mae", "output", "lower"),
        ("max_abs", "output", "lower"),
        ("relative_l2", "", "lower"),
        ("rmse", "output", "lower"),
        ("softmax_kl", "nat", "lower"),
        ("sqnr_db", "dB", "higher"),
    ]


@pytest.mark.usefixtures("registry")
def test_a_metric_is_one_decorated_function():
    """A decorated function is in the registry and is called like the others."""

    @metric(unit="dB", better="higher")
    def signal_db(actual, expected):
        return 20 * np.log10(np.linalg.norm(expected) / np.linalg.norm(actual - expected))

    assert metrics()["signal_db"] is signal_db
    assert signal_db([1.1], [1.0]) == pytest.approx(20)


@pytest.mark.usefixtures("registry")
def test_a_clash_names_both_files():
    """A second metric of a name is refused, and the message names both files."""
    with pytest.raises(OptionError) as caught:

        @metric(unit="", better="lower")
        def mae(actual, expected):
            return abs(actual - expected)

    assert str(caught.value) == (
        "two metrics are called 'mae'\n"
        f"  why:  one is in {module.__file__}, the other in {__file__}\n"
        "  mend: rename one of the two functions"
    )


def test_nan_is_within_no_bound():
    """A figure that is NaN misses every bound, in both directions."""
    assert not mae.is_within(float("nan"), 1e300)
    assert not cosine.is_within(float("nan"), -1)
