"""The photographs of a verdict: what was fed, and what both sides made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_infer.judges.shown_rows import WRONG_ROWS, shown_classes, shown_detections
from pytest_infer.models import registry as models

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_infer.judges.judged_rows import JudgedRows
    from pytest_infer.session.models import Models
    from pytest_infer.verdict import Verdict

MOST_SHOWN = 3
"""Photographs of a verdict, those of wrong rows first."""

SHOWN: Mapping[str, Callable[[JudgedRows, int], dict[str, Any]]] = {
    "classification": shown_classes,
    "detection": shown_detections,
}
"""What is shown of a row, by the model's task."""


def with_photographs(verdict: Verdict, rows: JudgedRows, inputs: Models) -> Verdict:
    """Return a verdict of a task with ``photographs`` in its details.

    A verdict that compared nothing, a task that is not in `SHOWN`, and a model that takes no
    photographs stay as they are.
    """
    show = SHOWN.get(rows.spec.task)
    is_compared = verdict.status == "pass" or WRONG_ROWS in verdict.details
    if show is None or not is_compared or not _takes_photographs(rows.spec.name):
        return verdict
    names = inputs.row_names(rows.spec.name)
    wrong = set(verdict.details.get(WRONG_ROWS, ()))
    numbers = [
        (call.answer.start + row) % len(names) for call in rows.calls for row in range(call.size)
    ]
    ordered = sorted(range(len(numbers)), key=lambda row: (row not in wrong, row))
    first = {numbers[row]: row for row in reversed(ordered)}
    chosen = sorted(first.values(), key=ordered.index)[:MOST_SHOWN]
    shown = [
        {
            "name": names[numbers[row]],
            "is_wrong": row in wrong,
            **inputs.thumbnail(rows.spec.name, numbers[row]),
            **show(rows, row),
        }
        for row in chosen
    ]
    return replace(verdict, details={**verdict.details, "photographs": shown})


def _takes_photographs(model: str) -> bool:
    return models.find(model).preprocess is not None
