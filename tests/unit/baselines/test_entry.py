"""Keys of entries: a case, and perhaps the parameters of the test that judged it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_infer.baselines.entry import key_parts
from pytest_infer.case import Case, case_from_dict

CASE = Case("toy", "ort", "int8", 4, "cpu", (("intra_op_threads", 2), ("static", True)))


@pytest.mark.parametrize("variant", ["", "224", "a-b[c]", "x+y=z", "toy-ort-fp32-b1"])
def test_keys_are_read_again(variant: str) -> None:
    """What a case's id says is what its key says, whatever is in a parameter's id."""
    case = replace(CASE, variant=variant)
    parts = key_parts("toy", case.id)
    assert parts == ("ort", "int8", 4, "+intra_op_threads=2+static", variant)
    assert case_from_dict(case.as_dict()) == case


def test_key_without_parameters() -> None:
    """It is what it was before tests could have parameters of their own."""
    assert CASE.id == "toy-ort-int8-b4+intra_op_threads=2+static"
    assert "variant" not in CASE.as_dict()


@pytest.mark.parametrize("key", ["toy-ort-fp32-b1[]", "toy-ort-fp32-b1[a", "toy-ort-fp32-b1a]"])
def test_keys_of_no_case(key: str) -> None:
    """Brackets that hold nothing, or are not closed, are no key."""
    with pytest.raises(ValueError, match="is no key of toy"):
        key_parts("toy", key)
