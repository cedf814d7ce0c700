"""Sizes, memory, build and load beside a budget, and beside what is stored."""

import pytest

from pytest_infer.errors import OptionError
from pytest_infer.judges.growth import ResourceBudget, resource_budget_from_keywords, with_growth
from pytest_infer.verdict import Verdict

STORED = {"engine_bytes": 1e6, "peak_host_bytes": 1e8, "load_s": 0.3, "build_s": 2.0}


def judged(now, budget=None, stored=STORED, status="pass"):
    """Return the verdict on figures that are the stored ones but for ``now``."""
    figures = {"p50_ms": 2.0, **STORED, **now}
    verdict = Verdict("latency", status, "measured", "fine", figures)
    return with_growth(verdict, budget, stored, subject="net", mend="store it")


@pytest.mark.parametrize(
    "now",
    [
        {},
        {"engine_bytes": 1.009e6, "peak_host_bytes": 1.019e8},
        {"load_s": 0.79},
        {"build_s": 19.9},
        {"engine_bytes": 1, "peak_host_bytes": 1},
    ],
)
def test_within_the_spread(now):
    """What spreads anyway, and what became smaller, changes nothing."""
    assert judged(now).code == "measured"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (
            {"engine_bytes": 1.02e6},
            "engine_bytes 1.02e+06, stored 1e+06 (+2.0%), which spreads by 1%",
        ),
        (
            {"peak_host_bytes": 1.2e8},
            "peak_host_bytes 1.2e+08, stored 1e+08 (+20.0%), which spreads by 2%",
        ),
        ({"load_s": 1.2}, "load_s 1.2, stored 0.3 (+300.0%), which spreads by 200%"),
    ],
)
def test_grown(now, expected):
    """Growth beyond the spread is no pass, and no failure."""
    verdict = judged(now)
    assert (verdict.judge, verdict.status, verdict.code) == ("latency", "inconclusive", "grown")
    assert verdict.message == (
        f"net takes more than when it was stored: {expected}; look for what changed (library, "
        "graph, settings), or accept it: store it"
    )
    assert verdict.figures["p50_ms"] == 2.0


def test_a_short_load_may_be_many_times_as_long():
    """Half a second more is needed."""
    assert judged({"load_s": 0.09}, stored={"load_s": 0.01}).code == "measured"


def test_nothing_stored():
    """Without a baseline, or where it has no such figures, nothing has grown."""
    for stored in (None, {}, {"p50_ms": 1.0}):
        assert judged({"engine_bytes": 1e9}, stored=stored).code == "measured"


def test_budget():
    """A figure above the budget fails, whatever is stored; the message has the two."""
    verdict = judged({}, ResourceBudget(engine_bytes=5e5, load_s=1.0), stored=None)
    assert (verdict.judge, verdict.status) == ("latency", "fail")
    assert verdict.message == (
        "net takes more than its resource budget\n"
        "  why:  engine_bytes 1e+06 > 5e+05 (2 x)\n"
        "  mend: find what has grown, or raise the budget in the mark, or store it again: store it"
    )
    assert verdict.code == "over-resource-budget"


def test_growth_in_the_budget():
    """A size that grew by more than the mark allows fails; times are no sizes."""
    budget = ResourceBudget(growth=0.1)
    verdict = judged({"peak_host_bytes": 1.2e8}, budget)
    assert verdict.code == "over-resource-budget"
    assert "peak_host_bytes 1.2e+08, stored 1e+08 (+20.0%), +10.0% is allowed" in verdict.message
    assert judged({"peak_host_bytes": 1.08e8}, budget).code == "grown"
    assert judged({"load_s": 9.0}, budget).code == "grown"


def test_other_verdicts_stay():
    """A failure stays what it is; what is new has not grown, and may yet be over budget."""
    assert judged({"engine_bytes": 9e9}, status="fail").code == "measured"
    assert judged({"engine_bytes": 9e9}, status="new").code == "measured"
    over = judged({}, ResourceBudget(engine_bytes=1), status="new")
    assert over.code == "over-resource-budget"


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"memory": 1}, "unknown keyword of @pytest.mark.resource_budget 'memory'"),
        ({"growth": 0}, "cannot use resource budget growth=0"),
        ({"load_s": float("nan")}, "cannot use resource budget load_s=nan"),
        ({"load_s": "1"}, "cannot use resource budget load_s='1'"),
    ],
)
def test_bad_keywords(keywords, expected):
    """Unknown keywords and what is no positive number are refused."""
    with pytest.raises(OptionError) as error:
        resource_budget_from_keywords(keywords)
    assert error.value.what.startswith(expected)
