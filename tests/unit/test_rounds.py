"""Rounds of interleaved arms, on a clock that is not real."""

from dataclasses import replace
from random import Random

import pytest

from pytest_infer.rounds import Plan, block_calls, time_rounds

MS = 1_000_000
PLAN = Plan()


class World:
    """A clock that arms move on, and a watch that sees what was planted."""

    def __init__(self, disturbed=lambda _: None):
        self.now = 0
        self.blocks = 0
        self.order = []
        self.disturbed = disturbed

    def arm(self, name, durations_ms):
        """Return an arm whose calls take ``durations_ms`` in turn; the last one for ever."""
        left = list(durations_ms)

        def timed(calls):
            self.order.append((name, calls))
            found = []
            for _ in range(calls):
                each = left.pop(0) if len(left) > 1 else left[0]
                self.now += int(each * MS)
                found.append(int(each * MS))
            return found

        return timed

    def mark(self):
        """Return the number of the block that begins."""
        return self.blocks

    def disturbance(self, since, wall_ns):
        """Return what was planted for this block."""
        assert since == self.blocks
        assert wall_ns > 0
        self.blocks += 1
        return self.disturbed(since)

    def rounds(self, arms, plan=PLAN):
        """Time ``arms`` by name and durations."""
        made = {name: self.arm(name, durations) for name, durations in arms.items()}
        return time_rounds(made, self, plan, Random(0), lambda: self.now)


@pytest.mark.parametrize(
    ("call_ms", "discarded", "timed"),
    [
        (0.5, 2, 40),
        (5, 2, 5),
        (20, 2, 5),
        (40, 1, 2),
        (90, 1, 1),
        (199, 1, 1),
        (200, 0, 1),
        (2000, 0, 1),
    ],
)
def test_a_block_lasts_20_ms_and_has_5_calls_unless_they_are_long(call_ms, discarded, timed):
    """Short calls fill the block, five are wanted, and long ones are few."""
    assert block_calls(call_ms * MS, PLAN) == (discarded, timed)


def test_twelve_clean_rounds_are_enough():
    """Every arm has a median in each round, and it ends with the twelfth."""
    world = World()
    found = world.rounds({"engine": [4], "reference": [2]})
    assert len(found.rounds) == PLAN.clean_rounds
    assert {each.disturbance for each in found.rounds} == {""}
    assert all(each.medians_ns == {"engine": 4 * MS, "reference": 2 * MS} for each in found.rounds)


def test_a_disturbed_block_spoils_its_round_and_another_takes_its_place():
    """What disturbed one arm is the round's reason; clean ones are counted alone."""
    world = World(disturbed=lambda block: "run-queue" if block in {0, 3} else None)
    found = world.rounds({"engine": [4], "reference": [2]})
    assert [each.disturbance for each in found.rounds] == ["run-queue"] * 2 + [""] * 12


def test_it_gives_up_after_forty_rounds():
    """A device that is never quiet ends the measurement."""
    world = World(disturbed=lambda _: "thermal")
    found = world.rounds({"engine": [0.1], "reference": [0.1]})
    assert len(found.rounds) == PLAN.most_rounds


def test_it_gives_up_after_twenty_seconds():
    """An engine of 2 s has as many rounds as fit."""
    found = World().rounds({"engine": [2000], "reference": [5]})
    assert len(found.rounds) == 10


def test_warm_is_what_no_longer_changes():
    """Calls that become faster are called until two windows agree."""
    falling = [100 * 0.9**number for number in range(40)]
    world = World()
    found = world.rounds({"engine": [*falling, 1.0]})
    assert found.warmup_calls["engine"] > len(falling)
    assert found.rounds[0].medians_ns["engine"] == MS


def test_what_never_settles_is_timed_after_three_seconds():
    """The limit of the warm-up holds for each arm."""
    endless = [10 * 1.005**number for number in range(1000)]
    world = World()
    found = world.rounds({"engine": endless}, replace(PLAN, clean_rounds=1))
    assert 3 <= sum(endless[: found.warmup_calls["engine"]]) / 1000 < 3.3


def test_the_order_of_the_arms_is_random():
    """No arm always runs after the same other one."""
    world = World()
    world.rounds({"engine": [4], "reference": [4], "calibration": [4]})
    timed = [name for name, calls in world.order if calls == 5]
    rounds = [tuple(timed[start : start + 3]) for start in range(0, len(timed) - 2, 3)]
    assert len(set(rounds[-12:])) > 1
