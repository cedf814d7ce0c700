"""Numbers that people write: within their bounds, or refused with the bounds and their reason."""

from __future__ import annotations

import math
from typing import NamedTuple

from pytest_infer.errors import OptionError
from pytest_infer.plain_text import shown

_MOST_DIGITS = 18
"""Of a number that is read at all; Python itself refuses to read more than 4300."""


class Bounds(NamedTuple):
    """The least and the greatest valid whole number."""

    least: int
    most: int
    because: str
    """Why there is no greater one."""

    def __str__(self) -> str:
        return f"from {self.least} to {self.most}: {self.because}"

    def read(self, name: str, text: str) -> int:
        """Return the number that ``text`` is; raise `OptionError` with the bounds."""
        number = number_from_text(text)
        if number is None or not self.least <= number <= self.most:
            raise OptionError(
                f"{name}={shown(text)} is not valid",
                why=f"it takes whole numbers {self}",
                mend=f"for example {name}={min(max(self.least, 8), self.most)}",
            )
        return number


BATCH = Bounds(1, 1_000_000, "no device has the memory for more rows")
CALLS = Bounds(1, 1_000_000, "the duration of each is kept")
WARMUP = Bounds(0, 1_000_000, "no engine needs more calls to become warm")
EXAMPLES = Bounds(1, 1_000_000, "a search of more shapes takes days")
GPU = Bounds(0, 127, "torch counts GPUs in a signed byte")

LONGEST_S = 365 * 24 * 3600
"""A year: more than any call takes, and less than the system's timers hold."""


def number_from_text(text: str) -> int | None:
    """Return the whole number that ASCII digits are, None for any other text or a longer one."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        return None
    return int(text)


def is_finite(value: object) -> bool:
    """Return whether ``value`` is a number that a float can hold, and no truth value."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond a float's greatest
        return False


def told(value: object) -> str:
    """Return a value of a mark as a message may show it: short, whatever it is."""
    try:
        return shown(repr(value))
    except Exception:  # noqa: BLE001 - such as a number of too many digits, or a broken __repr__
        return f"a value of type {type(value).__name__}, which cannot be shown"
