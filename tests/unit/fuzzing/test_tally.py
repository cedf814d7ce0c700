"""Every example of a search is counted, and none of them proves what it does not."""

from pytest_infer.case import Case
from pytest_infer.fuzzing.oracle import Opinion
from pytest_infer.fuzzing.recipe import Recipe
from pytest_infer.fuzzing.tally import ShapeTally
from pytest_infer.verdict import Verdict

CASE = Case("net", "ort", "fp32", 1, "cpu")


def opinion(worth="judged", ratio=0.25, status="pass", message=""):
    """Return an opinion on some outputs."""
    figures = {"worst_ratio": ratio, "relative_l2": ratio * 1e-6}
    return Opinion(Verdict("parity", status, "match", message, figures), worth)


def tally_of(*opinions):
    """Return the tally of opinions on shapes of 1, 2, ... rows."""
    tally = ShapeTally(CASE)
    for rows, each in enumerate(opinions, 1):
        tally.count(Recipe((("batch", rows),)), each)
    return tally


def test_what_was_tried():
    """The verdict has the counts, the number of shapes and the worst figures."""
    tally = tally_of(opinion(ratio=0.5), opinion(), opinion("vacuous"), opinion("undefined"))
    tally.count(Recipe((("batch", 1),), seed=7), opinion())
    verdict = tally.verdict("; a note")
    assert verdict.status == "pass"
    assert verdict.message == (
        "net-ort-fp32-b1 matches eager fp64 on 5 examples of 4 shapes (3 judged, 1 undefined, "
        "1 vacuous): worst is 0.5 x the tolerance; a note"
    )
    assert verdict.figures == {
        "examples": 5,
        "shapes": 4,
        "judged": 3,
        "vacuous": 1,
        "undefined": 1,
        "worst_ratio": 0.5,
        "relative_l2": 5e-7,
    }


def test_nothing_was_proved():
    """A search of which no example could be judged fails, and so does one without any."""
    for tally, why in (
        (tally_of(opinion("vacuous"), opinion("undefined")), "1 undefined, 1 vacuous"),
        (tally_of(), "none was tried"),
    ):
        verdict = tally.verdict()
        assert (verdict.status, verdict.code) == ("fail", "vacuous")
        assert f"\n  why:  {why}\n" in verdict.message


def test_failures_leave_the_figures_alone():
    """The worst figures are of what passed: a failure is told apart."""
    assert "worst_ratio" not in tally_of(opinion(ratio=9.0, status="fail")).figures


def test_what_is_known_is_told_once():
    """Known findings are counted and told beside what was judged; alone they are no pass."""
    known = opinion("known", 2.0, "known", "wrong on ones: a naive sum")
    verdict = tally_of(known, opinion(), known).verdict()
    assert (verdict.status, verdict.figures["known"]) == ("pass", 2)
    assert verdict.message.endswith(
        "(1 judged, 2 known): worst is 0.25 x the tolerance; known: wrong on ones: a naive sum"
    )
    alone = tally_of(known).verdict()
    assert (alone.status, alone.message) == ("known", "wrong on ones: a naive sum")
