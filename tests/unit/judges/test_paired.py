"""What paired rows say of a loss: never too much, and enough."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from pytest_infer.judges.paired import ERROR, Paired, p_at_least, rows_for_share, share_bounds

ROWS = 40


def chances(rate, drop):
    """Return the chance of each (lost, won) of `ROWS` rows, of which so many differ."""
    odds = [(rate + drop) / 2, (rate - drop) / 2, 1 - rate]
    return {
        (lost, won): stats.multinomial.pmf([lost, won, ROWS - lost - won], ROWS, odds)
        for lost, won in product(range(ROWS + 1), repeat=2)
        if lost + won <= ROWS
    }


@pytest.mark.parametrize("drop", [0.05, 0.1])
def test_a_loss_is_rarely_overlooked(drop):
    """Where the true drop is the limit, no rate of differing rows lets more than 5 % pass."""
    pairs = chances(drop, drop)
    passing = [each for each in pairs if Paired(ROWS, *each).is_less_than(drop)]
    failing = [each for each in pairs if Paired(ROWS, *each).is_more_than(drop)]
    assert passing
    assert failing
    assert not set(passing) & set(failing)
    for rate in np.linspace(drop, 1, 30):
        found = chances(rate, drop)
        assert sum(found[each] for each in passing) <= ERROR
        assert sum(found[each] for each in failing) <= ERROR


def test_no_row_differs():
    """Then 1 % is excluded by as many rows as Clopper and Pearson ask for: 0.99^n below 5 %."""
    assert not Paired(298, 0, 0).is_less_than(0.01)
    assert Paired(310, 0, 0).is_less_than(0.01)
    assert 298 < Paired(100, 0, 0).rows_to_decide(0.01) <= 310


def test_sides_are_alike():
    """What is said of lost rows is said of won ones the other way."""
    found = Paired(500, 12, 3)
    assert found.turned == Paired(500, 3, 12)
    low, high = found.interval
    assert found.turned.interval == (-high, -low)
    assert low < found.drop < high
    assert p_at_least(found, high) == pytest.approx(ERROR, abs=1e-3)
    assert found.is_less_than(high + 1e-4)
    assert not found.is_less_than(high - 1e-4)


def test_more_rows_say_more():
    """The same share of lost rows is told from the limit by more rows."""
    widths = [np.ptp(Paired(rows, rows // 50, rows // 100).interval) for rows in (200, 2000, 20000)]
    assert widths == sorted(widths, reverse=True)
    assert not Paired(200, 4, 2).is_less_than(0.02)
    assert Paired(20000, 400, 200).is_less_than(0.02)


def test_rows_to_decide():
    """So many rows of the same kind do decide, and 2 % fewer do not."""
    for found, drop in ((Paired(200, 4, 2), 0.02), (Paired(300, 9, 1), 0.01)):
        rows = found.rows_to_decide(drop)

        def decides(rows, found=found, drop=drop):
            more = Paired(rows, *(round(n * rows / found.rows) for n in (found.lost, found.won)))
            return more.is_less_than(drop) or more.is_more_than(drop)

        assert decides(rows)
        assert not decides(int(rows * 0.9))
    assert Paired(100, 3, 2).rows_to_decide(0.01) is None


def test_mcnemar():
    """2 (1 + 12 + 66) / 4096, by hand."""
    assert Paired(100, 10, 2).mcnemar == pytest.approx(158 / 4096)
    assert Paired(100, 0, 0).mcnemar == 1


def test_share():
    """By hand: none of ten is right with a share of at most 1 - 0.05^(1/10)."""
    assert share_bounds(0, 10) == (0, pytest.approx(1 - 0.05**0.1))
    assert share_bounds(10, 10) == (pytest.approx(0.05**0.1), 1)
    assert rows_for_share(10, 10, 0.9) == pytest.approx(29, abs=1)  # 0.9^29 is below 5 %
    assert rows_for_share(9, 10, 0.9) is None
