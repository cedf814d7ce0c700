"""Ids of cases, read back: a case, and perhaps the parameters of the test that judged it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_infer.case import Case, case_from_dict
from pytest_infer.case_id import case_in, id_parts, without_variant

CASE = Case("toy", "ort", "int8", 4, "cpu", (("intra_op_threads", 2), ("static", True)))


@pytest.mark.parametrize("variant", ["", "224", "a-b[c]", "x+y=z", "toy-ort-fp32-b1"])
def test_keys_are_read_again(variant: str) -> None:
    """What a case's id says is what its key says, whatever is in a parameter's id."""
    case = replace(CASE, variant=variant)
    parts = id_parts("toy", case.id)
    assert parts == ("ort", "int8", 4, "+intra_op_threads=2+static", variant)
    assert without_variant("toy", case.id) == CASE.id
    assert case_from_dict(case.as_dict()) == case


def test_key_without_parameters() -> None:
    """It is what it was before tests could be parametrized."""
    assert CASE.id == "toy-ort-int8-b4+intra_op_threads=2+static"
    assert "variant" not in CASE.as_dict()


@pytest.mark.parametrize(
    "key",
    [
        "toy-ort-fp32-b1[]",
        "toy-ort-fp32-b1[a",
        "toy-ort-fp32-b1a]",
        "net-ort-fp32-b1",
        "toy-fp32-b1",
    ],
)
def test_ids_of_no_case(key: str) -> None:
    """Brackets that hold nothing or are not closed, another model, and no engine make no id."""
    assert id_parts("toy", key) is None


A, B = "resnet50-ort-fp32-b1", "resnet50-ort-int8-b16+threads=2+intra=a.b"


@pytest.mark.parametrize(
    ("nodeid", "case"),
    [
        (f"suites/test_parity.py::test_outputs[{A}]", f"[{A}"),
        (f"test_mine.py::Test::test_more[{B}]", f"[{B}"),
        (f"test_mine.py::test_more[{A}-cold]", f"[{A}"),
        (f"test_mine.py::test_more[7-{A}]", f"[7-{A}"),
        ("test_mine.py::test_more[7]", ""),
        ("test_mine.py::test_more", ""),
    ],
)
def test_case_of_a_test(nodeid: str, case: str) -> None:
    """It is found in the test's id alone, since only workers collect."""
    assert case_in(nodeid) == case
