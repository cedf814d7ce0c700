"""The judge of a model itself: if eager differs from itself, no engine can be held to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.parity import judge_outputs
from pytest_infer.verdict import failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from pytest_infer.verdict import Verdict

    Arrays = Mapping[str, npt.NDArray[Any]]

CODE = "not-deterministic"
_DIFFERING = ("diverged", "wrong-shape")


def judge_repeats(runs: Sequence[Arrays], *, subject: str) -> Verdict | None:
    """Return the verdict on a model whose eager runs in fp32 differ by more than rounding does.

    ``runs`` are of the same feeds. What atomic sums change is below fp32's ceiling, and is not
    meant. Fail: ``not-deterministic``; None: the runs agree.
    """
    first, *others = runs
    for other in others:
        found = judge_outputs(other, first, None, precision="fp32")
        if found.code in _DIFFERING:
            return failed(
                "parity",
                CODE,
                what=f"{subject}: non-deterministic model: eager differs from itself",
                why="two runs of eager in fp32 on the same inputs:\n" + _differences(other, first),
                mend="take random numbers and what is left from other calls out of forward "
                "(dropout with training=self.training); then judge the engine",
            )
    return None


def _differences(left: Arrays, right: Arrays) -> str:
    return "\n".join(_difference(name, left[name], right[name]) for name in right)


def _difference(name: str, left: npt.NDArray[Any], right: npt.NDArray[Any]) -> str:
    if left.shape != right.shape:
        return f"{name!r} has the shapes {left.shape} and {right.shape}"
    count = int(np.sum(left != right))
    if not count:
        return f"{name!r} is the same"
    index = tuple(int(each[0]) for each in np.nonzero(left != right))
    return (
        f"{name!r} differs in {count} of {left.size} elements; the first is {list(index)}: "
        f"{float(left[index]):.9g} and {float(right[index]):.9g}"
    )
