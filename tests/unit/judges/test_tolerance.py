"""Tolerances: what may be set, and what is derived."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.errors import OptionError
from pytest_infer.judges.tolerance import (
    CEILING,
    Tolerance,
    derived_bound,
    derived_gain,
    mark_from_bounds,
    rounded_bound,
    tolerance_from_keywords,
)

FINITE = st.floats(0, allow_infinity=False, allow_nan=False)


@given(FINITE)
def test_a_rounded_error_is_never_below_the_error(value):
    """Rounding up keeps the error within the bound, and within a tenth of it."""
    bound = rounded_bound(value)
    assert value <= bound
    assert bound <= value * 1.1 or value < 1e-300
    assert value > 1e300 or rounded_bound(bound) <= bound * 1.1


@given(st.floats(-1, 1))
def test_a_rounded_similarity_is_never_above_it(value):
    """Rounding down keeps the similarity within the bound."""
    assert rounded_bound(value, "higher") <= value


@pytest.mark.parametrize(
    ("value", "better", "expected"),
    [(0.0112, "lower", 0.012), (3.1, "lower", 3.2), (0.99886, "higher", 0.9988), (0.0, "lower", 0)],
)
def test_rounded_bounds_are_short(value, better, expected):
    """Errors keep two significant digits, similarities four."""
    assert rounded_bound(value, better) == expected


def test_fp32_never_allows_what_tf32_loses():
    """However wrong eager is, fp32 is held to a tenth of TF32's error."""
    assert derived_bound(1e-3, "fp32") == CEILING["fp32"] == 1e-4


def test_derived_bound_is_a_multiple_of_the_noise_and_four_roundoffs():
    """Below the ceiling the bound is the documented sum."""
    assert derived_bound(1e-6, "fp32") == pytest.approx(16e-6 + 4 * 2**-24)
    assert derived_bound(1e-3, "fp16") == pytest.approx(4e-3 + 4 * 2**-11)
    assert derived_bound(0, "fp16") == 4 * 2**-11


def test_derived_gain_shrinks_with_the_rows():
    """A scale is held to half of what one row may be off, over the root of the rows."""
    allowed = derived_bound(1e-2, "bf16")
    assert derived_gain(0, allowed, 1, "bf16") == pytest.approx(allowed / 2)
    assert derived_gain(0, allowed, 16, "bf16") == pytest.approx(allowed / 8)


def test_derived_gain_knows_eager_s_own():
    """Where eager itself has a wrong scale, four times it is allowed, never more than the error."""
    assert derived_gain(5e-3, 5e-2, 16, "bf16") == pytest.approx(2e-2)
    assert derived_gain(1, 5e-2, 16, "bf16") == 5e-2
    assert derived_gain(float("inf"), CEILING["int8"], 16, "int8") == CEILING["int8"]


def test_no_noise_to_show_leaves_the_ceiling():
    """Infinite noise, as for int8, is held to the precision's ceiling."""
    assert derived_bound(float("inf"), "int8") == CEILING["int8"]


def test_a_mark_is_what_can_be_pasted():
    """The mark is reported as Python."""
    text = mark_from_bounds({"mae": 0.006, "cosine": 0.9988})
    assert text == "@pytest.mark.tolerance(cosine=0.9988, mae=0.006)"


def test_an_unknown_keyword_names_the_nearest():
    """A misspelt keyword is refused with the nearest one."""
    with pytest.raises(OptionError) as caught:
        tolerance_from_keywords({"relative_l1": 0.1})
    assert str(caught.value) == (
        "unknown keyword of @pytest.mark.tolerance 'relative_l1'\n"
        "  why:  valid choices: box_px, changed_pixels, changed_tokens, cosine, gain, mae, "
        "max_abs, miou, relative_l2, rmse, score, similarity, softmax_kl, sqnr_db, "
        "target_error, top_k\n"
        "  mend: did you mean 'relative_l2'?"
    )


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("0.1", "it is not a number"),
        (True, "it is not a number"),
        (float("nan"), "it must be finite and not negative"),
        (-0.1, "it must be finite and not negative"),
    ],
)
def test_values_that_are_no_bound_are_refused(value, why):
    """Texts, bools, NaN and negative errors are refused with the reason."""
    with pytest.raises(OptionError) as caught:
        tolerance_from_keywords({"mae": value})
    assert str(caught.value) == (
        f"cannot use tolerance mae={value!r}\n"
        f"  why:  {why}\n"
        "  mend: give a plain number, such as @pytest.mark.tolerance(mae=0.01)"
    )


def test_only_what_is_set_is_told():
    """Bounds that are not set are not in the mapping, zero is."""
    assert Tolerance(mae=0.0, cosine=-0.5).as_dict() == {"mae": 0.0, "cosine": -0.5}
