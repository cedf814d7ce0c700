"""Rows of plain numbers for the judges of tasks."""

from pytest_infer.judges.answer import Answer, Compared
from pytest_infer.judges.judged_rows import JudgedRows
from pytest_infer.judges.tolerance import Tolerance
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec


def rows_of(task, actual, reference, eager=None, *, precision="fp32", labels=(), **tolerance):
    """Return the rows of one call, of one output or of several by name."""
    sides = [actual, reference, reference if eager is None else eager]
    named = [side if isinstance(side, dict) else {"y": side} for side in sides]
    spec = ModelSpec(
        "toy",
        task,
        {"x": TensorSpec(("batch", 4))},
        {name: TensorSpec(("batch", *each.shape[1:])) for name, each in named[1].items()},
        Source(module="toy"),
    )
    answer = Answer(named[0])
    return JudgedRows(
        [Compared(answer, named[1], named[2])],
        spec,
        precision,
        "toy",
        Tolerance(**tolerance),
        labels,
        postprocess=None,
    )
