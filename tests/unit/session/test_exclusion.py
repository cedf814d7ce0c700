"""What cannot run is told as far as some test wants it."""

from dataclasses import replace

from pytest_infer.case import Case
from pytest_infer.engines.protocol import Missing
from pytest_infer.session.exclusion import Exclusion, wanted_of

LACK = Missing("no GPU", "buy one")
SIZES = [("a", 1), ("a", 8), ("b", 1), ("b", 8)]
CASES = tuple(Case(model, "trt", "fp32", batch, "cuda:0") for model, batch in SIZES)
OF_TRT = Exclusion("trt in fp32", 4, LACK, CASES)


def wants(**wanted):
    """Return whether a case has these fields."""
    return lambda case: all(getattr(case, name) == value for name, value in wanted.items())


def test_what_no_test_wants_is_not_told():
    """Tests for other engines alone have nothing to do with it."""
    assert list(wanted_of([OF_TRT], [wants(engine="ort"), wants(model="c")])) == []
    assert list(wanted_of([OF_TRT], [])) == []


def test_cases_are_those_that_some_test_wants():
    """Each counts once, whoever wants it."""
    found = list(wanted_of([OF_TRT], [wants(model="a"), wants(batch=8), wants(batch=8)]))
    assert found == [replace(OF_TRT, cases=3)]
    assert found[0].told() == {
        "what": "trt in fp32",
        "cases": 3,
        "lack": {"why": "no GPU", "mend": "buy one"},
    }


def test_a_model_that_cannot_be_read_is_always_told():
    """Which cases it would have is not known."""
    unread = Exclusion("c", 12, LACK)
    assert list(wanted_of([unread], [])) == [unread]
