"""What the rounds of two processes say together."""

from math import isnan, log

import pytest

from pytest_infer.timing.pair import NEW, OLD, pair_from_rounds
from pytest_infer.timing.rounds import Round

MS = 1_000_000


def rounds(*pairs, disturbance=""):
    """Return rounds of (new, old) in ms."""
    return [Round({NEW: new * MS, OLD: old * MS}, disturbance) for new, old in pairs]


def test_median_of_ratios():
    """The figure is the median of the rounds' own ratios, whatever the machine's speed was."""
    found = pair_from_rounds(rounds((11, 10), (22, 20), (5.5, 5), (40, 10)))
    assert found.change == pytest.approx(log(1.1))
    assert (found.new_ms, found.old_ms, found.kept) == (16.5, 10, 4)


def test_disturbed_rounds():
    """They count on a CPU and are reported; on a GPU they do not count."""
    mixed = [*rounds((11, 10), (11, 10)), *rounds((20, 10), disturbance="thermal")]
    on_cpu = pair_from_rounds(mixed)
    assert (on_cpu.kept, on_cpu.disturbed) == (3, {"thermal": 1})
    assert on_cpu.told() == "+10.00% in 3 rounds (disturbed: 1 thermal)"
    assert pair_from_rounds(mixed, counts_disturbed=False).kept == 2


def test_nothing_counts():
    """Without a round there is no figure, and the pair is not usable."""
    found = pair_from_rounds(rounds((1, 1), disturbance="clock"), counts_disturbed=False)
    assert isnan(found.change)
    assert not found.is_usable
