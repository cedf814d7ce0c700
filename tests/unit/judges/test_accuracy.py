"""Right answers beside eager's: the verdict flips where the rows can tell."""

import numpy as np
import pytest

from pytest_infer.errors import OptionError
from pytest_infer.judges.accuracy import (
    AccuracyBounds,
    Graded,
    accuracy_from_keywords,
    judge_accuracy,
)


def judged(rows, right, lost=0, won=0, *, guess=0.1, original="", **bounds):
    """Judge an engine that loses and wins some of the rows that eager has right or wrong."""
    exact = np.arange(rows) < right
    engine = exact.copy()
    engine[:lost] = False
    engine[right : right + won] = True
    graded = Graded(engine, exact, guess, original)
    return judge_accuracy(graded, AccuracyBounds(**bounds), subject="net")


def test_nothing_lost():
    """Enough rows without a loss pass, and the message has all figures."""
    found = judged(1000, 950)
    assert (found.judge, found.status, found.code) == ("accuracy", "pass", "accurate")
    assert found.message == (
        "net loses less than 1.00% of accuracy: 95.00% of 1000 rows right, eager in fp32 95.00%; "
        "drop +0.00%, from -0.30% to +0.30% at 90% confidence (0 rows lost, 0 won; McNemar's p 1)"
    )
    assert found.figures["evaluation_rows"] == 1000


def test_lost():
    """3 % lost of 1000 rows is more than 1 %."""
    found = judged(1000, 950, lost=30)
    assert (found.status, found.code) == ("fail", "accuracy-drop")
    assert found.message.startswith("net loses more than 1.00% of accuracy\n  why:  92.00% of 1000")
    assert found.figures["accuracy_drop"] == pytest.approx(0.03)


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (2, 0), (2, 1)])
def test_too_few_rows(lost, won):
    """100 rows tell no drop of 1 %, whatever they say, and the message says how many would."""
    found = judged(100, 95, lost, won)
    assert (found.status, found.code) == ("inconclusive", "too-few-rows")
    assert "a drop of 1.00% cannot be told, " in found.message
    assert ("about 30" in found.message) is (lost == 0)


def test_drop_at_the_limit():
    """A drop that is the limit itself is told by no number of rows."""
    found = judged(1000, 950, lost=10)
    assert found.code == "too-few-rows"
    assert "so near that no number of rows would" in found.message


@pytest.mark.parametrize(
    ("at_least", "code"), [(0.9, "accurate"), (0.95, "too-few-rows"), (0.99, "below-accuracy")]
)
def test_at_least(at_least, code):
    """The engine's own share is told from the one that is asked for, or not."""
    assert judged(1000, 950, at_least=at_least).code == code


def test_nothing_to_lose():
    """Where eager knows no more than the most frequent label, nothing could be lost."""
    found = judged(1000, 300, guess=0.3)
    assert (found.status, found.code) == ("fail", "vacuous")
    assert "eager in fp32 has 30.00% of 1000 rows right; the same answer to every row" in (
        found.message
    )
    assert judged(1000, 0, guess=0.0).code == "vacuous"
    assert judged(1000, 320, guess=0.3).code == "accurate"


def test_another_model_is_named():
    """The float model that a quantized copy is compared with stands in the message."""
    assert "digits in fp32 95.00%" in judged(1000, 950, original="digits").message


@pytest.mark.parametrize("value", [0, 1, -0.1, True, "x", float("nan")])
def test_keywords(value):
    """A share is between 0 and 1: nothing shows that nothing at all is lost."""
    with pytest.raises(OptionError, match="cannot use accuracy max_drop="):
        accuracy_from_keywords({"max_drop": value})


def test_unknown_keyword():
    """The nearest one is named."""
    with pytest.raises(OptionError) as caught:
        accuracy_from_keywords({"max_dorp": 0.1})
    assert caught.value.mend == "did you mean 'max_drop'?"
