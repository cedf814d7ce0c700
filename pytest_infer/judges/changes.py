"""Changed choices that rounding does not explain, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.judges.choices import Change, Choices

_SHOWN = 6
"""Changes that a message shows, the widest margins first."""


def told_changes(
    choices: Choices, rows: Sequence[str], labels: Sequence[str], kind: str
) -> list[str]:
    """Return what is wrong with changes at places of a ``kind``; empty if rounding explains all."""
    every = [each for row in choices.rows for each in row.changes()]
    wrong = [each for each in every if not each.margin <= choices.margin]
    worst = sorted(wrong, key=lambda each: -each.margin)[:_SHOWN]
    told = [_told(each, rows, labels, kind) for each in worst]
    if wrong:
        counted = f"1 {kind} is" if len(wrong) == 1 else f"{len(wrong)} {kind}s are"
        told.append(f"{counted} further apart than {choices.margin:.3g}, which rounding explains")
    elif choices.share_without_ties > choices.allowed_share:
        told.append(
            f"each change is rounding, and together they are not: {choices.share:.3g} of the "
            f"{kind}s changed, {choices.allowed_share:.3g} are allowed, eager itself changes "
            f"{choices.eager_share:.3g}"
        )
    return told


def worst_ratio(choices: Choices) -> float:
    """Return how many times what is allowed was used; above 1 it is too much."""
    widest = max((each.margin for row in choices.rows for each in row.changes()), default=0.0)
    return max(widest / choices.margin, choices.share_without_ties / choices.allowed_share)


def _told(change: Change, rows: Sequence[str], labels: Sequence[str], kind: str) -> str:
    row = rows[change.row] if change.row < len(rows) else f"row {change.row}"
    return (
        f"{row}: {kind} {list(change.place)} is {_class(change.got, labels)} instead of "
        f"{_class(change.expected, labels)}, {change.margin:.3g} apart in the reference"
    )


def _class(index: int, labels: Sequence[str]) -> str:
    return f"{labels[index]} ({index})" if index < len(labels) else f"{index}"
