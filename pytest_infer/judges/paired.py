"""How much accuracy is lost, by rows that two engines have answered: a paired comparison.

Only rows that one of the two has right and the other has not say anything of a difference
(McNemar 1947). Whether the loss is at least so large is tested without an approximation: of all
rates of such rows that fit what was seen, the one counts that speaks against the test most
(Berger and Boos 1994).

SciPy is imported where it is needed: a run reads the marks of accuracy before it has any rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

ERROR = 0.05
"""How often each side of an interval may be wrong."""

MOST_ROWS = 10_000_000
"""No set of rows is larger, as far as it is looked for."""

_UNLIKELY = 0.001
"""The share of ``ERROR`` that rates which do not fit what was seen take."""

_RATES = 33
"""At so many rates within their range the worst one is looked for."""

_NEGLIGIBLE = 1e-12
_STEPS = 40


@dataclass(frozen=True)
class Paired:
    """What became of rows that the reference and an engine have answered."""

    rows: int
    lost: int
    """Rows that the reference has right and the engine has not."""
    won: int
    """Rows that the engine has right and the reference has not."""

    @property
    def drop(self) -> float:
        """Return the share of rows by which the engine has fewer right."""
        return (self.lost - self.won) / self.rows

    @property
    def mcnemar(self) -> float:
        """Return the two-sided p-value that lost and won rows are equally likely (exact)."""
        from scipy import stats

        changed = self.lost + self.won
        return float(stats.binomtest(self.lost, changed).pvalue) if changed else 1.0

    @property
    def interval(self) -> tuple[float, float]:
        """Return the least and the greatest drop that fit, each with an error of `ERROR`."""
        return -_greatest(self.turned), _greatest(self)

    @property
    def turned(self) -> Paired:
        """Return the same rows, the engine's side and the reference's exchanged."""
        return Paired(self.rows, lost=self.won, won=self.lost)

    def is_less_than(self, drop: float) -> bool:
        """Return whether the drop is less than ``drop``, with an error of `ERROR` at most."""
        return p_at_least(self, drop) <= ERROR

    def is_more_than(self, drop: float) -> bool:
        """Return whether the drop is more than ``drop``, with an error of `ERROR` at most."""
        return p_at_least(self.turned, -drop) <= ERROR

    def rows_to_decide(self, drop: float) -> int | None:
        """Return how many rows would decide, if further ones turned out like these; None: none."""

        def decides(rows: int) -> bool:
            lost, won = (round(each * rows / self.rows) for each in (self.lost, self.won))
            more = Paired(rows, lost, won)
            return more.is_less_than(drop) if self.drop < drop else more.is_more_than(drop)

        return _least(decides, self.rows)


def p_at_least(found: Paired, drop: float) -> float:
    """Return the p-value of a true drop of ``drop`` or more, which may be negative.

    Whatever the true rate of rows that differ is, it is at most ``p`` in a share ``p`` of samples.
    """
    from scipy import stats

    changed = found.lost + found.won
    least, most = (max(rate, abs(drop)) for rate in _rates(changed, found.rows))
    if most == 0:
        return 1.0  # nothing changes, and the drop of 0 that is asked about is true
    place = (found.lost - found.won - found.rows * drop) / np.sqrt(changed + 1)
    first = int(stats.binom.ppf(_NEGLIGIBLE, found.rows, least))
    counts = np.arange(max(first, 0), int(stats.binom.isf(_NEGLIGIBLE, found.rows, most)) + 1)
    # so many of them are lost, at most, in samples that are as far from the drop as this one
    lost = np.floor((counts + found.rows * drop + place * np.sqrt(counts + 1)) / 2 + 1e-9)
    rates = np.linspace(max(least, np.finfo(float).tiny), most, _RATES)[:, None]
    odds = np.clip((rates + drop) / 2 / rates, 0, 1)
    tails = stats.binom.pmf(counts, found.rows, rates) * stats.binom.cdf(lost, counts, odds)
    return float(min(1.0, tails.sum(axis=1).max() + _UNLIKELY))


def share_bounds(right: int, rows: int, error: float = ERROR) -> tuple[float, float]:
    """Return the least and the greatest share that fit (Clopper and Pearson 1934)."""
    from scipy import stats

    least = stats.beta.ppf(error, right, rows - right + 1) if right else 0.0
    most = stats.beta.ppf(1 - error, right + 1, rows - right) if right < rows else 1.0
    return float(least), float(most)


def rows_for_share(right: int, rows: int, share: float) -> int | None:
    """Return how many rows would show on which side of ``share`` the share is; None: none."""

    def decides(more: int) -> bool:
        least, most = share_bounds(round(right * more / rows), more)
        return least >= share or most < share

    return _least(decides, rows)


def _rates(changed: int, rows: int) -> tuple[float, float]:
    return share_bounds(changed, rows, _UNLIKELY / 2)


def _greatest(found: Paired) -> float:
    """Return the greatest drop that fits, by bisection."""
    low, high = found.drop, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if found.is_less_than(middle) else (middle, high)
    return high


def _least(decides: Callable[[int], bool], rows: int) -> int | None:
    """Return about the least number of rows that decides."""
    high = rows
    while not decides(high):
        high *= 2
        if high > MOST_ROWS:
            return None
    low = max(rows, high // 2)
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high
