"""Errors that pass and have grown since the baseline are reported."""

import pytest

from pytest_infer.judges.drift import with_drift
from pytest_infer.verdict import Verdict

STORED = {"mae": 1e-6, "relative_l2": 1e-6, "p50_ms": 2.0}


def drifted(figures, stored=STORED, status="pass"):
    """Return the verdict on figures, after drift was looked for."""
    verdict = Verdict("parity", status, "match", "text", figures)
    return with_drift(verdict, stored, subject="toy-ort-fp32-b1", mend="pytest suites …")


@pytest.mark.parametrize(
    ("figures", "code"),
    [
        ({"mae": 3e-6, "relative_l2": 1e-6}, "match"),
        ({"mae": 3.1e-6, "relative_l2": 1e-6}, "parity-drift"),
        ({"mae": 1e-6, "relative_l2": 1e-5}, "parity-drift"),
        ({"mae": 1e-9, "relative_l2": 1e-9}, "match"),
        ({}, "match"),
    ],
)
def test_three_times_as_wrong_is_drift(figures, code):
    """Any of the stored errors counts; smaller ones do not."""
    assert drifted(figures).code == code


def test_drift_tells_both_errors_and_the_mend():
    """It is no pass and no failure, and keeps the figures."""
    found = drifted({"mae": 1e-5, "relative_l2": 2e-6})
    assert (found.judge, found.status) == ("parity", "inconclusive")
    assert found.message == (
        "toy-ort-fp32-b1 is within its tolerance, and 10 times as wrong as its baseline: "
        "mae 1e-05 against 1e-06; look for what changed (library, export, precision of a layer), "
        "or accept it: pytest suites …"
    )
    assert found.figures == {"mae": 1e-5, "relative_l2": 2e-6, "drift": pytest.approx(10)}


@pytest.mark.parametrize("stored", [None, {}, {"p50_ms": 2.0}, {"mae": 0.0}])
def test_without_stored_errors_nothing_is_said(stored):
    """No baseline, one without errors, and an error of zero give no ratio."""
    assert drifted({"mae": 1.0}, stored).code == "match"


def test_a_failure_stays_one():
    """What is wrong by its tolerance needs no drift."""
    assert drifted({"mae": 1.0}, status="fail").status == "fail"
