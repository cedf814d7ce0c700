"""Rounds of interleaved arms, on a clock that is not real."""

from dataclasses import replace
from random import Random

import pytest

from pytest_infer.timing.rounds import CPU_PLAN, GPU_PLAN, block_calls, time_rounds

MS = 1_000_000


class World:
    """A clock that arms move on, and a watch that sees what was planted."""

    def __init__(self, disturbed=lambda _: None):
        self.now = 0
        self.count = 0
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
        """Return the number of the round that begins."""
        return self.count

    def disturbance(self, since, wall_ns):
        """Return what was planted for this block."""
        assert since == self.count
        assert wall_ns > 0
        self.count += 1
        return self.disturbed(since)

    def rounds(self, arms, plan=GPU_PLAN):
        """Time ``arms`` by name and durations."""
        made = {name: self.arm(name, durations) for name, durations in arms.items()}
        order = Random(0)  # noqa: S311 - an order, not a secret
        return time_rounds(made, self, plan, order, lambda: self.now)


@pytest.mark.parametrize(
    ("plan", "call_ms", "discarded", "timed"),
    [
        (GPU_PLAN, 0.5, 2, 40),
        (GPU_PLAN, 5, 2, 5),
        (GPU_PLAN, 200, 2, 5),
        (CPU_PLAN, 0.5, 2, 4),
        (CPU_PLAN, 2, 0, 1),
        (CPU_PLAN, 2000, 0, 1),
    ],
)
def test_how_many_calls_a_block_has(plan, call_ms, discarded, timed):
    """On a GPU 20 ms and five calls at least; on a CPU one call, or 2 ms of short ones."""
    assert block_calls(call_ms * MS, plan) == (discarded, timed)


def test_twelve_clean_rounds_are_enough():
    """Every arm has a median in each round, and it ends with the twelfth."""
    world = World()
    found = world.rounds({"engine": [4], "reference": [2]})
    assert len(found) == GPU_PLAN.clean_rounds
    assert {each.disturbance for each in found} == {""}
    assert all(each.medians_ns == {"engine": 4 * MS, "reference": 2 * MS} for each in found)


def test_a_cpu_is_measured_for_a_second_and_a_half():
    """Short calls have many rounds there."""
    found = World().rounds({"engine": [6], "reference": [4]}, CPU_PLAN)
    assert len(found) == 150


def test_a_disturbed_round_does_not_count():
    """Its reason is kept, and another one takes its place."""
    world = World(disturbed=lambda number: "run-queue" if number in {0, 3} else None)
    found = world.rounds({"engine": [4], "reference": [2]})
    disturbances = [each.disturbance for each in found]
    assert len(disturbances) == 14
    assert [disturbances[0], disturbances[3]] == ["run-queue"] * 2


def test_it_gives_up_after_twenty_seconds():
    """A device that is never quiet ends the measurement."""
    found = World(disturbed=lambda _: "thermal").rounds({"engine": [2]}, CPU_PLAN)
    assert len(found) == 10_000


def test_a_slow_engine_has_as_many_rounds_as_fit():
    """An engine of 2 s has ten within 20 s."""
    assert len(World().rounds({"engine": [2000], "reference": [5]}, CPU_PLAN)) == 10


def test_a_very_slow_engine_has_five_rounds_all_the_same():
    """Fewer decide nothing: an engine of 9 s would never have been judged."""
    assert len(World().rounds({"engine": [9000], "reference": [5]}, CPU_PLAN)) == 5
    never_quiet = World(disturbed=lambda _: "neighbour")
    assert len(never_quiet.rounds({"engine": [9000]}, CPU_PLAN)) == 5


def test_warm_is_what_no_longer_changes():
    """Calls that become faster are called until two windows agree."""
    falling = [100 * 0.9**number for number in range(40)]
    found = World().rounds({"engine": [*falling, 1.0]})
    assert found[0].medians_ns["engine"] == MS


def test_what_never_settles_is_timed_after_three_seconds():
    """The limit of the warm-up holds for each arm."""
    endless = [10 * 1.005**number for number in range(1000)]
    world = World()
    world.rounds({"engine": endless}, replace(GPU_PLAN, clean_rounds=1))
    *warm_up, _, _ = (calls for _, calls in world.order)  # then the calls of one block
    assert 3 <= sum(endless[: sum(warm_up)]) / 1000 < 3.3


def test_the_order_of_the_arms_is_random():
    """No arm always runs after the same other one."""
    world = World()
    world.rounds({"engine": [4], "reference": [4], "fixed": [4]}, CPU_PLAN)
    timed = [name for name, calls in world.order if calls == 1][-300:]
    assert len({tuple(timed[start : start + 3]) for start in range(0, 300, 3)}) == 6


def test_a_plan_may_take_rounds_as_they_come():
    """Nobody is asked what disturbed them, and every one counts."""
    world = World(disturbed=lambda _: "neighbour")
    found = world.rounds({"engine": [4]}, replace(GPU_PLAN, is_watched=False))
    assert [each.disturbance for each in found] == [""] * GPU_PLAN.clean_rounds
    assert world.count == 0
