"""Numbers of people: ASCII digits within bounds, and their reason in the error."""

import pytest

from pytest_infer.bounds import Bounds, is_finite, number_from_text, told
from pytest_infer.errors import OptionError

BOUNDS = Bounds(1, 16, "more do not fit")


@pytest.mark.parametrize("text", ["1", "16", "007"])
def test_taken(text):
    """Both ends are valid."""
    assert BOUNDS.read("--n", text) == int(text)


@pytest.mark.parametrize("text", ["0", "17", "-1", "+1", "1.0", "", "\u0663", "\u00b2", "9" * 5000])
def test_refused(text):
    """Digits of other scripts, signs and thousands of digits are no numbers here."""
    with pytest.raises(OptionError) as caught:
        BOUNDS.read("--n", text)
    assert caught.value.why == "it takes whole numbers from 1 to 16: more do not fit"
    assert caught.value.mend == "for example --n=8"
    assert len(caught.value.what) < 150


def test_number_from_text():
    """Eighteen digits are read, more are not."""
    assert number_from_text("9" * 18) == 10**18 - 1
    assert number_from_text("9" * 19) is None


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        (1, True),
        (1e308, True),
        (10**308, True),
        (10**309, False),
        (float("inf"), False),
        (float("nan"), False),
        (True, False),
        ("1", False),
        (None, False),
    ],
)
def test_is_finite(value, is_one):
    """A whole number beyond a float's greatest is none, and raises nothing."""
    assert is_finite(value) is is_one


def test_told():
    """A value is shown shortly, and one that cannot be shown by its type."""
    assert told("a\x1b") == r"'a\x1b'"
    assert told("a" * 500) == f"'{'a' * 99}..."
    assert told(10**5000) == "a value of type int, which cannot be shown"
