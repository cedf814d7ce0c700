"""What a report shows of one row: the engine's answer beside the reference's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.judges.matching import FIELDS, SURE_IOU, iou

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_infer.arrays import Array
    from pytest_infer.judges.judged_rows import JudgedRows
    from pytest_infer.judges.matching import Detections

WRONG_ROWS = "wrong_rows"
"""Of a verdict's details: the numbers of the rows that it fails for."""

TOP = 5

MOST_BOXES = 12
"""Boxes of a side that are shown."""

THRESHOLD = 0.5
"""Detections that score less do not count, and are not shown."""

MOST_CHARACTERS = 60
"""Of a class's name."""


def shown_classes(rows: JudgedRows, row: int) -> dict[str, Any]:
    """Return the probabilities of the reference's top-5, and of others in the engine's.

    ``classes``: name, ``engine``, ``reference``.
    """
    side = rows.first
    got, expected = _probabilities(side.actual[row]), _probabilities(side.reference[row])
    best = [*_best(expected), *_best(got)]
    classes = [
        {
            "name": _name(index, rows.labels),
            "engine": round(float(got[index]), 4),
            "reference": round(float(expected[index]), 4),
        }
        for index in dict.fromkeys(best)
    ]
    return {"classes": classes}


def shown_detections(rows: JudgedRows, row: int) -> dict[str, Any]:
    """Return the boxes of both sides, in pixels of the input.

    ``boxes``: ``side``, name, score, ``box`` (x0, y0, x1, y1), and ``differs`` where the other side
    has no box of that class that overlaps it by `SURE_IOU`.
    """
    found = rows.postprocessed
    reference, engine = _above(found.reference[row]), _above(found.actual[row])
    sides = (("reference", reference, engine), ("engine", engine, reference))
    return {
        "boxes": [
            box
            for side, own, other in sides
            for box in _boxes(side, own, _differing(own, other), rows.labels)
        ]
    }


def _above(found: Detections) -> Detections:
    """Return the detections that count."""
    counts = np.asarray(found["scores"]) >= THRESHOLD
    return {name: np.asarray(found[name])[counts] for name in FIELDS}


def _differing(own: Detections, other: Detections) -> Array:
    """Return for each box of a side whether the other has none like it."""
    if not len(other["scores"]):
        return np.ones(len(own["scores"]), bool)
    same = own["labels"][:, None] == other["labels"][None]
    found: Array = ~(same & (iou(own["boxes"], other["boxes"]) >= SURE_IOU)).any(1)
    return found


def _boxes(
    side: str, found: Detections, differs: Array, labels: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield at most `MOST_BOXES`: those that differ first, then those with the highest scores."""
    for index in np.lexsort((-found["scores"], ~differs))[:MOST_BOXES]:
        yield {
            "side": side,
            "name": _name(int(found["labels"][index]), labels),
            "score": round(float(found["scores"][index]), 4),
            "box": [round(float(edge), 1) for edge in found["boxes"][index]],
            "differs": bool(differs[index]),
        }


def _probabilities(scores: Array) -> Array:
    """Return what a classifier's scores mean: they are logits unless they are that already."""
    from scipy.special import softmax

    exact = scores.astype(np.float64).ravel()
    is_share = bool(exact.min() >= 0 and abs(exact.sum() - 1) < 1e-3)  # noqa: PLR2004 - fp16's rounding
    found: Array = exact if is_share else softmax(exact)
    return found


def _best(scores: Array) -> list[int]:
    return [int(index) for index in np.argsort(-scores, kind="stable")[:TOP]]


def _name(index: int, labels: Sequence[str]) -> str:
    name = labels[index] if 0 <= index < len(labels) else f"class {index}"
    return name if len(name) <= MOST_CHARACTERS else f"{name[:MOST_CHARACTERS]}…"
