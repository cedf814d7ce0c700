"""A verdict's photographs: wrong ones first, few of them, only of models that take some."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_infer.judges.answer import Answer, Compared
from pytest_infer.judges.judged_rows import JudgedRows
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec
from pytest_infer.session import photographs
from pytest_infer.session.photographs import with_photographs
from pytest_infer.verdict import Verdict, failed

LOGITS = np.random.default_rng(0).normal(size=(4, 6))
NAMES = [f"photograph {number}" for number in range(1, 7)]
INPUTS = SimpleNamespace(
    row_names=lambda _: NAMES,
    thumbnail=lambda _, number: {"jpeg": f"{number}", "width": 8, "height": 6},
)


def rows(task="classification"):
    """Return two calls of four rows each, which share two photographs."""
    spec = ModelSpec(
        "toy",
        task,
        {"image": TensorSpec(("batch", 3))},
        {"logits": TensorSpec(("batch", 6))},
        Source(module="toy"),
    )
    outputs = {"logits": LOGITS}
    calls = [Compared(Answer(outputs, start), outputs, outputs) for start in (0, 4)]
    return JudgedRows(calls, spec, "fp32", "toy")


@pytest.fixture(autouse=True)
def _takes_photographs(monkeypatch):
    found = SimpleNamespace(preprocess=len)
    monkeypatch.setattr(photographs.models, "find", lambda _: found)


def verdict(wrong=()):
    """Return a failure for some rows, or a pass."""
    if not wrong:
        return Verdict("parity", "pass", "match", "toy matches")
    bad = failed("parity", "wrong-top-1", what="toy", why="x", mend="y")
    return replace(bad, details={"wrong_rows": wrong, "other": 1})


@pytest.mark.parametrize(
    ("wrong", "numbers"),
    [((), [1, 2, 3]), ([5], [6, 1, 2]), ([1, 2, 3, 4], [2, 3, 4]), ([6], [1, 2, 3])],
)
def test_wrong_ones_first(wrong, numbers):
    """Three photographs are shown, each once; row 6 is photograph 1 again, and is wrong."""
    found = with_photographs(verdict(wrong), rows(), INPUTS).details["photographs"]
    assert [each["name"] for each in found] == [f"photograph {number}" for number in numbers]
    assert [each["is_wrong"] for each in found] == [
        bool(wrong) and n < min(len(wrong), 3) for n in range(3)
    ]
    assert found[0]["jpeg"] == str(numbers[0] - 1)
    assert found[0]["classes"]


def test_details_stay():
    """What a verdict has already is kept."""
    assert with_photographs(verdict([0]), rows(), INPUTS).details["other"] == 1


def test_none(monkeypatch):
    """A comparison that proved nothing, another task and a model without photographs have none."""
    vacuous = failed("parity", "vacuous", what="toy", why="x", mend="y")
    assert with_photographs(vacuous, rows(), INPUTS) is vacuous
    passed = verdict()
    assert with_photographs(passed, rows("embeddings"), INPUTS) is passed
    monkeypatch.setattr(photographs.models, "find", lambda _: SimpleNamespace(preprocess=None))
    assert with_photographs(passed, rows(), INPUTS) is passed
