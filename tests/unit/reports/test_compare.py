"""Two results side by side."""

from dataclasses import replace

import pytest
from hostile import HOSTILE, hostile_result

from pytest_infer.case import Case
from pytest_infer.reports.compare import HEADINGS, headline_of, markdown_of, origins, pairs_of
from pytest_infer.reports.counts import Coverage
from pytest_infer.reports.record import record_from_verdict
from pytest_infer.reports.result import Result
from pytest_infer.reports.run_info import RunInfo
from pytest_infer.verdict import Verdict


def result(runtime="1.31", commit="a" * 40, **cases):
    """Return a result of cases by model: a p50 in ms, and a status."""
    records = [
        record_from_verdict(
            Verdict("latency", status, "measured", "text", {"p50_ms": p50}),
            Case(model, "ort", "fp32", 1, "cpu"),
            "test_it",
            device={"name": "CPU"},
            runtime={"onnxruntime": runtime},
        )
        for model, (p50, status) in cases.items()
    ]
    return Result(records, Coverage(), run=RunInfo(started="2026-11-29", commit=commit))


def test_pairs():
    """What became worse stands first; what is told apart has a note."""
    old = result(same=(1.0, "pass"), slow=(2.0, "pass"), bad=(3.0, "pass"), gone=(4.0, "pass"))
    new = result(same=(1.05, "pass"), slow=(3.0, "pass"), bad=(3.0, "fail"), fresh=(5.0, "new"))
    found = {each.case_id.partition("-")[0]: each for each in pairs_of(old, new)}
    assert list(found) == ["bad", "gone", "slow", "fresh", "same"]
    assert {name: each.note for name, each in found.items()} == {
        "bad": "worse verdict",
        "slow": "slower",
        "gone": "only in A",
        "fresh": "only in B",
        "same": "",
    }
    assert dict(zip(HEADINGS, found["bad"].cells(), strict=True)) == {
        "case": "bad-ort-fp32-b1",
        "verdict": "pass → fail: measured",
        "p50 ms": "3.000",
        "change": "+0.0%",
        "over eager": "none",
        "relative L2": "",
        "note": "worse verdict",
    }
    assert found["slow"].cells()[2:4] == ("2.000 → 3.000", "+50.0%")


def test_a_failure_that_was_not_there():
    """A new case that fails is worse, and stands first; what is gone is in the headline."""
    pairs = pairs_of(result(gone=(1.0, "pass")), result(a=(1.0, "pass"), b=(1.0, "fail")))
    assert [(each.case_id, each.note, each.is_worse) for each in pairs] == [
        ("b-ort-fp32-b1", "only in B, fails", True),
        ("gone-ort-fp32-b1", "only in A", False),
        ("a-ort-fp32-b1", "only in B", False),
    ]
    told = "1 of 3 cases are worse, and 1 case of A did not run in B"
    assert headline_of(pairs) == told
    assert markdown_of(pairs, []).startswith(f"**{told}**\n")
    assert headline_of(pairs_of(result(), result())) == "No verdict became worse"


def test_better():
    """The other way round it is better, and faster."""
    (pair,) = pairs_of(result(a=(2.0, "fail")), result(a=(1.0, "pass")))
    assert (pair.note, pair.is_worse) == ("better verdict, faster", False)


def test_a_check_that_did_not_run_again():
    """It is no better verdict if what failed was not asked again."""
    (latency,) = result(a=(2.0, "pass")).records
    old = replace(result(), records=[latency, replace(latency, judge="parity", status="fail")])
    (pair,) = pairs_of(old, result(a=(2.0, "pass")))
    assert (pair.note, pair.is_worse) == ("B did not judge its parity", False)


def test_origins():
    """What differs of how both were made, and nothing else."""
    old, new = result(a=(1.0, "pass")), result("1.32", "b" * 40, a=(1.0, "pass"))
    assert origins(old, new) == [
        ("run", f"2026-11-29, commit {'a' * 12}", f"2026-11-29, commit {'b' * 12}"),
        ("runtime onnxruntime", "1.31", "1.32"),
    ]
    assert origins(old, old) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_in_markdown(name):
    """A name ends neither its cell nor its line."""
    found = hostile_result(HOSTILE[name])
    text = markdown_of(pairs_of(found, found), origins(found, result(a=(1.0, "pass"))))
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(lines) == 3
    assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1
    assert "<script" not in text
    assert all(each.isprintable() or each == "\n" for each in text)
