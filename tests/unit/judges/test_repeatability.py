"""A model whose eager runs differ is not deterministic; rounding is no difference."""

import numpy as np
import pytest

from pytest_infer.judges.repeatability import judge_repeats

ONES = np.ones((2, 3), np.float32)
BROKEN = np.array([[1, np.nan, np.inf]], np.float32)


@pytest.mark.parametrize(
    ("first", "other", "told"),
    [
        (ONES, ONES * 1.01, "differs in 6 of 6 elements; the first is [0, 0]: 1.00999999 and 1"),
        (0 * ONES, ONES, "differs in 6 of 6 elements; the first is [0, 0]: 1 and 0"),
        (ONES, 0 * ONES, "differs in 6 of 6 elements; the first is [0, 0]: 0 and 1"),
        (ONES, ONES[:1], "has the shapes (1, 3) and (2, 3)"),
        (BROKEN, BROKEN[:, ::-1], "differs in 2 of 3 elements; the first is [0, 0]: inf and 1"),
        (
            np.arange(3),
            np.array([0, 1, 3]),
            "differs in 1 of 3 elements; the first is [2]: 3 and 2",
        ),
    ],
)
def test_what_differs(first, other, told):
    """Values, zeros, shapes, places of NaN, and any integer."""
    verdict = judge_repeats([{"y": first}, {"y": first}, {"y": other}], subject="toy")
    assert (verdict.status, verdict.code) == ("fail", "not-deterministic")
    assert f"'y' {told}" in verdict.message


@pytest.mark.parametrize("first", [ONES, 0 * ONES, BROKEN, np.arange(3), ONES > 0])
def test_what_agrees(first):
    """The same, NaN in the same places, and what atomic sums change."""
    other = first * np.float32(1 + 1e-6) if first.dtype.kind == "f" else first
    assert judge_repeats([{"y": first}, {"y": first}, {"y": other}], subject="toy") is None
