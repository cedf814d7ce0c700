"""How often the accuracy gate passes, fails or cannot tell, by the true drop.

    python benchmarks/accuracy_gate.py

Rows are drawn from a multinomial distribution: lost, won, the same. It takes some minutes.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from pytest_infer.judges.paired import Paired

LIMIT = 0.01
DRAWS = 4000
DROPS = (0.0, 0.005, 0.01, 0.02, 0.03)
SETS = (
    (300, 0.03),
    (1000, 0.01),
    (1000, 0.03),
    (1000, 0.1),
    (5000, 0.03),
    (5000, 0.1),
)
"""Rows, and the rate at which the two engines differ (at least the true drop)."""


@cache
def outcome(rows: int, lost: int, won: int) -> str:
    """Return what the gate says of a draw."""
    found = Paired(rows, lost, won)
    if found.is_more_than(LIMIT):
        return "fail"
    return "pass" if found.is_less_than(LIMIT) else "inconclusive"


def rates(rows: int, rate: float, drop: float) -> str:
    """Return the shares of passes and failures, in per cent."""
    rate = max(rate, drop)
    odds = [(rate + drop) / 2, (rate - drop) / 2, 1 - rate]
    draws = np.random.default_rng(0).multinomial(rows, odds, size=DRAWS)
    found = [outcome(rows, int(lost), int(won)) for lost, won, _ in draws]
    return " / ".join(f"{100 * found.count(each) / DRAWS:.1f}" for each in ("pass", "fail"))


if __name__ == "__main__":
    print(f"| rows | rows that differ | {' | '.join(f'{drop:.1%}' for drop in DROPS)} |")
    print("|" + "---|" * (2 + len(DROPS)))
    for rows, rate in SETS:
        cells = [rates(rows, rate, drop) for drop in DROPS]
        print(f"| {rows} | {rate:.0%} | {' | '.join(cells)} |", flush=True)
