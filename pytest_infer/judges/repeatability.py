"""The judge of a model itself: if eager differs from itself, no engine can be held to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.judges.tolerance import CEILING
from pytest_infer.verdict import failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from pytest_infer.verdict import Verdict

    Array = npt.NDArray[Any]
    Arrays = Mapping[str, Array]

CODE = "not-deterministic"


def judge_repeats(runs: Sequence[Arrays], *, subject: str) -> Verdict | None:
    """Return the verdict on a model whose eager runs in fp32 differ by more than rounding does.

    ``runs`` are of the same feeds. What atomic sums change is below fp32's ceiling, and is not
    meant. Fail: ``not-deterministic``; None: the runs agree.
    """
    first, *others = runs
    for other in others:
        if any(_differ(other[name], first[name]) for name in first):
            return failed(
                "parity",
                CODE,
                what=f"{subject}: non-deterministic model: eager differs from itself",
                why="two runs of eager in fp32 on the same inputs:\n" + _differences(other, first),
                mend="take random numbers and what is left from other calls out of forward "
                "(dropout with training=self.training); then judge the engine",
            )
    return None


def _differ(left: Array, right: Array) -> bool:
    """Return whether two runs differ in shape, in any integer, or by more than fp32's ceiling.

    A run may be all zero, where dropout has taken everything: that is no reason not to compare.
    """
    if left.shape != right.shape or left.dtype.kind != "f":
        return not np.array_equal(left, right)
    largest = max(_largest(left), _largest(right))
    return not np.allclose(left, right, rtol=0, atol=CEILING["fp32"] * largest, equal_nan=True)


def _largest(values: Array) -> float:
    return float(np.max(np.abs(values[np.isfinite(values)]), initial=0.0))


def _differences(left: Arrays, right: Arrays) -> str:
    return "\n".join(_difference(name, left[name], right[name]) for name in right)


def _difference(name: str, left: Array, right: Array) -> str:
    if left.shape != right.shape:
        return f"{name!r} has the shapes {left.shape} and {right.shape}"
    both_nan = np.isnan(left.astype(np.float64)) & np.isnan(right.astype(np.float64))
    is_other = (left != right) & ~both_nan
    count = int(is_other.sum())
    if not count:
        return f"{name!r} is the same"
    index = tuple(int(each[0]) for each in np.nonzero(is_other))
    return (
        f"{name!r} differs in {count} of {left.size} elements; the first is {list(index)}: "
        f"{float(left[index]):.9g} and {float(right[index]):.9g}"
    )
