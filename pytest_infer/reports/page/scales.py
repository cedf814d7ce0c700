"""From figures to places in a chart, and the figures that stand beside its axes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isclose, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

STEPS = (1.0, 2.0, 5.0, 10.0)
"""What a step between ticks may be, times a power of ten."""


@dataclass(frozen=True)
class Scale:
    """A line of figures from ``least`` to ``most``, drawn from ``begin`` to ``end``."""

    least: float
    most: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where ``value`` is drawn; what is outside is drawn at the nearer end."""
        width = self.most - self.least
        share = (value - self.least) / width if width else 0.5
        share = min(max(share, 0.0), 1.0)
        return round(self.begin + share * (self.end - self.begin), 1)


@dataclass(frozen=True)
class Tick:
    """A figure beside an axis."""

    place: float
    text: str


def log_scale(values: Iterable[float], begin: float, end: float) -> Scale:
    """Return a scale of decades around positive ``values``; what is drawn are their logarithms."""
    logs = [log10(value) for value in values if value > 0]
    least, most = (floor(min(logs)), ceil(max(logs))) if logs else (-1, 1)
    return Scale(least, most if most > least else least + 1, begin, end)


def ticks(scale: Scale, wanted: int = 4) -> list[Tick]:
    """Return about ``wanted`` ticks at round figures."""
    width = scale.most - scale.least
    if width <= 0:
        return [Tick(scale(scale.least), short(scale.least))]
    step = _step(width / wanted)
    first = ceil(scale.least / step - 1e-9)
    last = floor(scale.most / step + 1e-9)
    return [Tick(scale(n * step), short(n * step)) for n in range(first, last + 1)]


def decades(scale: Scale, most: int = 6) -> list[Tick]:
    """Return ticks at powers of ten."""
    count = int(scale.most - scale.least)
    every = max(1, ceil(count / most))
    powers = range(int(scale.least), int(scale.most) + 1, every)
    return [Tick(scale(power), f"1e{power}") for power in powers]


def short(value: float) -> str:
    """Return a figure with three digits that count, without zeros that say nothing."""
    if value == 0 or isclose(value, 0, abs_tol=1e-15):
        return "0"
    text = f"{value:.3g}"
    return text if "e" not in text or abs(value) < 1e-4 or abs(value) >= 1e6 else f"{value:.0f}"  # noqa: PLR2004 - where figures are better read with an exponent


def _step(least: float) -> float:
    power = 10.0 ** floor(log10(least))
    return next(each * power for each in STEPS if each * power >= least * (1 - 1e-9))
