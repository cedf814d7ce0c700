"""The judge of classes: top-1 and top-k, forgiving only what rounding can swap."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.judges.outputs import malformed, not_finite, vacuous
from pytest_infer.judges.shown_rows import WRONG_ROWS
from pytest_infer.judges.tolerance import Tolerance, mark_from_bounds, rounded_bound
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.arrays import Array


_SHOWN = 6
"""Swaps that a message shows."""


@dataclass(frozen=True)
class _Swap:
    """A class of the reference that the engine replaced by another, in one row."""

    row: int
    rank: str
    """``top-1``, or ``top-k`` with the number."""
    expected: int
    got: int
    margin: float
    """By how much the reference's logit of ``expected`` exceeds that of ``got``."""


def judge_top_k(
    actual: Array,
    reference: Array,
    *,
    noise: float,
    k: int = 5,
    labels: Sequence[str] = (),
    rows: Sequence[str] = (),
    tolerance: Tolerance | None = None,
    subject: str = "engine",
) -> Verdict:
    """Judge the classes of logits (rows, classes): the same top-1, and the same set of top-k.

    ``noise`` is eager's largest absolute error against fp64 at the case's precision. A swap is
    forgiven if the reference's two logits are at most twice that apart, since each may move by it,
    in opposite directions; ``tolerance.top_k`` replaces that margin. With fewer than k + 1 classes
    k is one less than the classes. ``rows`` are what a message calls them. Pass: ``match``; fail:
    ``wrong-top-1``, ``wrong-top-k``,
    ``not-finite``, ``missing-output``, ``wrong-shape``, ``wrong-dtype``, ``vacuous``.
    """
    given = tolerance or Tolerance()
    margin = 2 * noise if given.top_k is None else given.top_k
    fault = (
        _pointless(reference, margin, subject)
        or vacuous({"logits": reference}, "fp32", subject)
        or malformed({"logits": actual}, {"logits": reference}, subject)
        or not_finite({"logits": actual}, {"logits": reference}, subject)
    )
    if fault:
        return fault
    swaps = list(_swaps(actual, reference, min(k, reference.shape[1] - 1)))
    wrong = [swap for swap in swaps if not swap.margin <= margin]
    figures = _agreement(swaps, len(reference))
    if wrong:
        described = [
            f"{rows[swap.row] if rows else f'row {swap.row}'}: "
            + _told(swap, actual, reference, labels)
            for swap in wrong[:_SHOWN]
        ]
        details = {WRONG_ROWS: sorted({swap.row for swap in wrong})}
        verdict = _failed(wrong, described, given, margin, subject)
        return replace(verdict, figures=figures, details=details)
    message = (
        f"{subject} names the classes of eager fp64: {len(reference)} rows, "
        f"{len(swaps)} swaps forgiven within {margin:.3g}"
    )
    return Verdict("parity", "pass", "match", message, figures)


def _pointless(reference: Array, margin: float, subject: str) -> Verdict | None:
    if reference.ndim != 2 or reference.shape[1] < 2:  # noqa: PLR2004 - rows and classes
        why = f"logits of shape {reference.shape} are not rows of at least two classes"
    elif not (math.isfinite(margin) and margin >= 0):
        why = f"the margin that forgives a swap is {margin}"
    elif reference.size and np.max(np.ptp(reference, axis=1)) <= margin:
        why = f"every swap would be forgiven: all logits of a row are within {margin:.3g}"
    else:
        return None
    return failed(
        "parity",
        "vacuous",
        what=f"{subject}: the comparison of classes would prove nothing",
        why=why,
        mend="look at the model's weights and inputs (--infer-weights, --infer-images)",
    )


def _swaps(actual: Array, reference: Array, k: int) -> list[_Swap]:
    left, right = actual.astype(np.float64), reference.astype(np.float64)
    got, expected = _ranked(left, k), _ranked(right, k)
    swaps = []
    for row, logits in enumerate(right):
        first, wanted = int(got[row, 0]), int(expected[row, 0])
        if first != wanted:
            margin = float(logits[wanted] - logits[first])
            swaps.append(_Swap(row, "top-1", wanted, first, margin))
        swaps += _set_swap(row, k, logits, set(got[row].tolist()), set(expected[row].tolist()))
    return swaps


def _set_swap(row: int, k: int, logits: Array, got: set[int], expected: set[int]) -> list[_Swap]:
    """Return the swap with the widest margin, which is what rounding must explain."""
    if got == expected:
        return []
    lost = max(sorted(expected - got), key=lambda index: logits[index])
    gained = min(sorted(got - expected), key=lambda index: logits[index])
    return [_Swap(row, f"top-{k}", lost, gained, float(logits[lost] - logits[gained]))]


def _ranked(logits: Array, k: int) -> Array:
    return np.argsort(-logits, axis=1, kind="stable")[:, :k]


def _agreement(swaps: list[_Swap], rows: int) -> dict[str, float]:
    first = {swap.row for swap in swaps if swap.rank == "top-1"}
    others = {swap.row for swap in swaps if swap.rank != "top-1"}
    return {
        "top_1_agreement": 1 - len(first) / rows,
        "top_k_agreement": 1 - len(others) / rows,
    }


def _failed(
    wrong: list[_Swap], described: list[str], given: Tolerance, margin: float, subject: str
) -> Verdict:
    rank = min(wrong, key=lambda swap: swap.rank != "top-1").rank
    rows = len({swap.row for swap in wrong})
    count = "1 row" if rows == 1 else f"{rows} rows"
    bounds = given.as_dict() | {"top_k": rounded_bound(max(swap.margin for swap in wrong))}
    return failed(
        "parity",
        "wrong-top-1" if rank == "top-1" else "wrong-top-k",
        what=f"{subject}: {rank} differs from eager fp64 in {count}",
        why="\n".join([*described, f"a swap is forgiven within {margin:.3g}"]),
        mend=f"find what loses precision, or accept it: {mark_from_bounds(bounds)}",
    )


def _told(swap: _Swap, actual: Array, reference: Array, labels: Sequence[str]) -> str:
    return (
        f"{swap.rank} has {_class(swap.got, labels)} instead of "
        f"{_class(swap.expected, labels)}; its logits there are "
        f"{actual[swap.row, swap.got]:.6g} and {actual[swap.row, swap.expected]:.6g}, the "
        f"reference's {reference[swap.row, swap.got]:.6g} and "
        f"{reference[swap.row, swap.expected]:.6g}, {swap.margin:.3g} apart"
    )


def _class(index: int, labels: Sequence[str]) -> str:
    return f"{labels[index]} ({index})" if index < len(labels) else f"class {index}"
