"""A task of one's own, from a conftest.py: declared, judged in the suites, refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Run = Callable[..., pytest.RunResult]

ABOVE = """
import numpy as np

from pytest_infer import task


@task()
def order(rows):
    actual, reference, _ = rows.first
    wrong = np.flatnonzero((actual.argsort(1) != reference.argsort(1)).any(1))
    figures = {"wrong_rows": float(len(wrong))}
    if not len(wrong):
        return rows.passed(f"orders {len(actual)} rows as eager does", figures)
    why = f"{rows.rows[wrong[0]]} is in another order"
    return rows.failed("wrong-order", "another order", why=why, mend="look", figures=figures)


@model(
    task="order",
    inputs={"x": TensorSpec(("batch", 3))},
    outputs={"y": TensorSpec(("batch", 3))},
)
def own():
    import torch

    torch.manual_seed(0)
    return torch.nn.Linear(3, 3).eval()


register(FakeEngine("a-fake", inner="eager", outputs=swap(0, 0, 1)))
"""


def test_own_task(run: Run) -> None:
    """The suite runs its judge, and its code and words are in the report of a failure."""
    result = run(
        *("-k", "task and own", "--engine=a-fake,eager", "--infer-model=own"),
        conftest=ABOVE,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*own-a-fake-fp32-b1: another order",
            "*why:  drawn row 1, call 1 is in another order",
            "2 of 2 checks ran, *",
        ]
    )
