"""Whether another environment is slower, from plain numbers."""

from math import log

import pytest

from pytest_infer.judges.against import (
    CPU_PAIRS,
    FIRST_PAIRS,
    MOST_PAIRS,
    MOST_TRIES,
    decide,
    pairs_until_decided,
)
from pytest_infer.judges.against_verdict import verdict_of
from pytest_infer.timing.pair import Pair


def pair(change=0.0, *, kept=100, disturbed=None):
    """Return a pair whose new environment is slower by ``change``, as a share."""
    return Pair(
        change=log(1 + change),
        new_ms=10 * (1 + change),
        old_ms=10.0,
        kept=kept,
        disturbed=disturbed or {},
    )


def outcome(*changes, cases=1):
    """Return the outcome of pairs, None if another one is needed."""
    found = decide([pair(each) for each in changes], CPU_PAIRS, cases=cases)
    return found and found.outcome


def test_few_pairs_decide_nothing():
    """However calm they are."""
    assert outcome(0.0, 0.0) is None
    assert outcome(*[0.0] * FIRST_PAIRS) == "unchanged"


@pytest.mark.parametrize("change", [0.018, -0.018, 0.2])
def test_suspect(change):
    """Nearly the limit or more, either way, needs all pairs."""
    assert outcome(*[change] * FIRST_PAIRS) is None
    assert outcome(*[change] * (MOST_PAIRS - 1)) is None
    assert outcome(*[change] * MOST_PAIRS) is not None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (0.0195, "unchanged"),
        (0.0205, "regressed"),
        (0.05, "regressed"),
        (-0.0195, "unchanged"),
        (-0.0205, "improved"),
    ],
)
def test_limit(change, expected):
    """Two per cent, either way, where pairs agree."""
    assert outcome(*[change] * MOST_PAIRS) == expected


def test_chance():
    """A mean beyond the limit is no failure where the spread of the pairs explains it."""
    assert outcome(0.09, -0.03, 0.07, -0.02, 0.06, 0.0) == "unchanged"
    assert outcome(0.2, -0.12, 0.15, -0.1, 0.18, -0.1) == "spread"


def test_many_cases_share_the_error():
    """A change that is just beyond chance for one case is within it for one of many."""
    changes = (0.055, 0.0, 0.05, 0.01, 0.045, 0.005)
    assert outcome(*changes) == "regressed"
    assert outcome(*changes, cases=50) == "unchanged"


def test_wide_first_pairs_are_not_enough():
    """Three pairs whose mean is calm only by chance are followed by others."""
    assert outcome(0.2, -0.2, 0.0) is None


@pytest.mark.parametrize(("disturbed", "expected"), [({}, "noisy"), ({"thermal": 9}, "throttled")])
def test_unusable(disturbed, expected):
    """Pairs with hardly a round are no evidence; after all tries there is no verdict."""
    none = [pair(kept=4, disturbed=disturbed)] * MOST_TRIES
    assert decide(none[:-1], CPU_PAIRS) is None
    found = decide(none, CPU_PAIRS)
    assert found is not None
    assert found.outcome == expected


def test_until_decided():
    """As many pairs are taken as are needed; the first one chooses the terms."""
    changes = iter([0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05])
    asked = []

    def terms_of(first):
        asked.append(first)
        return CPU_PAIRS

    decision, pairs, terms = pairs_until_decided(lambda: pair(next(changes)), terms_of, cases=1)
    assert (decision.outcome, len(pairs), terms) == ("regressed", MOST_PAIRS, CPU_PAIRS)
    assert asked == [pairs[0]]
    assert decision.change == pytest.approx(0.05)


def told(*changes, **about):
    """Return the verdict on pairs."""
    pairs = [pair(each) for each in changes]
    return verdict_of(
        decide(pairs, CPU_PAIRS), pairs, CPU_PAIRS, subject="net-ort-fp32-b1", **about
    )


def test_regressed_in_full():
    """A failure says what, why and the mend."""
    verdict = told(
        *[0.05] * MOST_PAIRS,
        versions="onnxruntime 1.23.0 -> 1.32.0",
        artefacts=("a1", "b2"),
        figures={"old_load_s": 0.5},
    )
    assert (verdict.judge, verdict.status, verdict.code) == ("against", "fail", "regressed")
    head, *rest = verdict.message.splitlines()
    assert head == (
        "net-ort-fp32-b1 regressed: 10.5 ms in the new environment, 10 ms in the old one"
    )
    assert rest == [
        "  why:  what differs: onnxruntime 1.23.0 -> 1.32.0",
        "        +5.00% in 6 of 6 pairs of processes, 2.00% is allowed (pairs on a CPU)",
        "        one pair spreads by 0.98%",
        *(f"        pair {number}: +5.00% in 100 rounds" for number in range(1, 7)),
        "  mend: stay with the old environment, or report it; the cache has both engines: a1, b2",
    ]
    assert verdict.figures["against_change"] == pytest.approx(0.05)
    assert (verdict.figures["against_pairs"], verdict.figures["old_load_s"]) == (6, 0.5)


def test_other_outcomes():
    """What is no failure has its code, and says that nothing is known to differ."""
    calm = told(0.0, 0.0, 0.0, versions="")
    assert (calm.status, calm.code) == ("pass", "unchanged")
    assert "what differs: no library that is known" in calm.message
    assert "--infer-calls" not in calm.message
    asked = told(0.0, 0.0, 0.0, versions="", rounds=5)
    assert (
        "5 rounds a pair, by --infer-calls: error rates are known only without it" in asked.message
    )
    faster = told(*[-0.05] * MOST_PAIRS, versions="")
    assert (faster.status, faster.code) == ("pass", "improved")
    spread = told(0.2, -0.12, 0.15, -0.1, 0.18, -0.1, versions="")
    assert (spread.status, spread.code) == ("inconclusive", "inconclusive-spread")
    none = [pair(kept=0)] * MOST_TRIES
    noisy = verdict_of(decide(none, CPU_PAIRS), none, CPU_PAIRS, subject="net", versions="")
    assert (noisy.status, noisy.code) == ("inconclusive", "inconclusive-noisy")
    assert "against_change" not in noisy.figures
