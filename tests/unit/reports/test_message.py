"""A record's message taken apart."""

from pytest_infer.errors import explanation
from pytest_infer.reports.message import parts_of


def test_explanation():
    """What, why and mend of an error or a failure, their further lines without the indent."""
    message = explanation("x diverged", why="first\nsecond", mend="look")
    assert parts_of(message) == ("x diverged", (("why", "first\nsecond"), ("mend", "look")))


def test_more_parts():
    """What was added to a failure stands under its own label."""
    message = explanation("x diverged", why="first", mend="look") + "\n  layers: a\n          b"
    assert parts_of(message)[1][-1] == ("layers", "a\nb")


def test_plain_message():
    """A message without parts is all what; so is an empty one."""
    assert parts_of("x is fine: why: not\nreally") == ("x is fine: why: not\nreally", ())
    assert parts_of("") == ("", ())
