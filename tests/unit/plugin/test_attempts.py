"""Attempts at tests, without any test."""

from __future__ import annotations

from pytest_infer.plugin.attempts import Attempts

TEST = ("test_it", "")


def test_last_attempt_counts():
    """Records of all its phases count; those of the others are kept apart, in their order."""
    attempts = Attempts()
    for number, phases in ((1, ["a", "b"]), (2, ["c"]), (3, ["d", "e"])):
        for code in phases:
            attempts.take(TEST, number, [{"code": code}])
    assert [each["code"] for each in attempts.records] == ["d", "e"]
    assert [each["code"] for each in attempts.earlier] == ["a", "b", "c"]
    assert attempts.counts == (1, 2)


def test_attempt_without_records():
    """It leaves no verdict of an earlier one; an attempt nobody reported is counted by number."""
    attempts = Attempts()
    attempts.take(TEST, 1, [{"code": "a"}])
    attempts.take(TEST, 3, [])
    assert attempts.records == []
    assert attempts.counts == (0, 2)


def test_one_test_on_two_workers():
    """It is one check, and neither run is an attempt before the other."""
    attempts = Attempts()
    for worker in ("gw0", "gw1"):
        attempts.take(("test_it", worker), 1, [{"code": worker}])
    assert [each["code"] for each in attempts.records] == ["gw0", "gw1"]
    assert attempts.counts == (1, 0)
