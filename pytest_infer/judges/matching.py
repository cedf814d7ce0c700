"""Match detections of one image one to one, whatever the order of the queries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_infer.arrays import Array

Detections: TypeAlias = "Mapping[str, Array]"
"""One image's: ``boxes`` (n, 4) as x1 y1 x2 y2 in pixels, ``labels`` (n,), ``scores`` (n,).

Where the model's postprocessing has suppressed what overlaps, it may tell of these, too, under the
names with `SUPPRESSED` before them.
"""

SAME_OBJECT_IOU = 0.1
"""Boxes that overlap less are two objects, one missing and one extra, not one that moved."""

SURE_IOU = 0.5
"""Boxes that overlap less may be two objects, of which each side has lost one (COCO's bound)."""

FIELDS = {"boxes": (4,), "labels": (), "scores": ()}
"""What detections are made of, and the shape of one."""

SUPPRESSED = "suppressed_"
"""Before the name of a field of what non-maximum suppression has removed."""

MOST_QUERIES = 2048
"""An axis with more is no set of queries; to match them would take minutes."""


@dataclass(frozen=True)
class Pair:
    """The indices of one object among the reference's and the engine's detections."""

    expected: int
    got: int
    iou: float


@dataclass(frozen=True)
class MatchedImage:
    """One image's detections above the threshold, matched."""

    number: int
    actual: Detections
    reference: Detections
    pairs: tuple[Pair, ...]
    actual_candidates: Detections | None = None
    """All that were there before some were suppressed; None where nothing was."""
    reference_candidates: Detections | None = None

    def moved_px(self, pair: Pair) -> float:
        """Return the largest difference of a coordinate."""
        moved = self.actual["boxes"][pair.got] - self.reference["boxes"][pair.expected]
        return float(np.max(np.abs(moved)))

    def score_change(self, pair: Pair) -> float:
        """Return the difference of the scores."""
        return abs(
            float(self.actual["scores"][pair.got]) - float(self.reference["scores"][pair.expected])
        )

    def is_same_class(self, pair: Pair) -> bool:
        """Return whether both sides name one class."""
        return bool(self.actual["labels"][pair.got] == self.reference["labels"][pair.expected])


def matched_images(
    actual: Sequence[Detections], reference: Sequence[Detections], threshold: float
) -> Iterator[MatchedImage]:
    """Return each image's detections that score at least ``threshold``, matched."""
    for number, (got, expected) in enumerate(zip(actual, reference, strict=True)):
        left, right = _above(got, threshold), _above(expected, threshold)
        pairs = tuple(_pairs(left, right))
        yield MatchedImage(number, left, right, pairs, _candidates(got), _candidates(expected))


def in_order(actual: Mapping[str, Array], reference: Mapping[str, Array]) -> dict[str, Array]:
    """Return a detector's outputs with their queries, the second axis, as the reference has them.

    Each row's queries are matched one to one by all outputs together, so that the sum of squared
    distances, in units of each output's size, is least. Outputs without such an axis in common,
    of other shapes or not finite, stay as they are; so does a single output whose second axis is
    not longer than the third, for these are values of anchors, which have an order.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    if not _has_queries(actual, reference):
        return dict(actual)
    outputs = {name: values.copy() for name, values in actual.items()}
    left, right = _queries(actual, reference), _queries(reference, reference)
    for row, (got, expected) in enumerate(zip(left, right, strict=True)):
        _, order = linear_sum_assignment(cdist(expected, got, "sqeuclidean"))
        for values in outputs.values():
            values[row] = values[row][order]
    return outputs


def _has_queries(actual: Mapping[str, Array], reference: Mapping[str, Array]) -> bool:
    shapes = {name: values.shape for name, values in reference.items()}
    return (
        {name: values.shape for name, values in actual.items()} == shapes
        and len({shape[:2] for shape in shapes.values()}) == 1
        and _are_queries(list(shapes.values()))
        and all(np.isfinite(values).all() for values in (*actual.values(), *reference.values()))
    )


def _are_queries(shapes: Sequence[tuple[int, ...]]) -> bool:
    """Return whether the second axis of outputs that have it in common is one of queries.

    One of them at least has nothing but rows, queries and their values; heads that are maps,
    (rows, channels, height, width), have no queries.
    """
    (first, *others) = shapes
    axes = [len(shape) for shape in shapes]
    if min(axes) != 3 or first[1] > MOST_QUERIES:  # noqa: PLR2004 - row, query, values
        return False
    return bool(others) or first[1] > first[2]


def _queries(outputs: Mapping[str, Array], reference: Mapping[str, Array]) -> Array:
    """Return (row, query, values) of all outputs side by side, each in units of its size."""
    parts = []
    for name in sorted(reference):
        size = float(np.sqrt(np.mean(np.square(reference[name], dtype=np.float64)))) or 1.0
        values = outputs[name].astype(np.float64) / size
        parts.append(values.reshape(*values.shape[:2], -1))
    return np.concatenate(parts, axis=2)


def split_doubtful(image: MatchedImage, doubtful: float) -> MatchedImage:
    """Return the image without pairs that may be two objects: `SURE_IOU`, both below ``doubtful``.

    Such an object falls below the threshold by the least of roundings, and what is left on either
    side is matched with what was meant for another.
    """
    kept = tuple(
        pair
        for pair in image.pairs
        if pair.iou >= SURE_IOU
        or float(image.actual["scores"][pair.got]) > doubtful
        or float(image.reference["scores"][pair.expected]) > doubtful
    )
    return replace(image, pairs=kept)


def _above(detections: Detections, threshold: float) -> Detections:
    kept = np.asarray(detections["scores"]) >= threshold
    values = {name: np.asarray(detections[name])[kept] for name in FIELDS}
    return {
        name: array if name == "labels" else array.astype(np.float64)
        for name, array in values.items()
    }


def _candidates(detections: Detections) -> Detections | None:
    """Return what was kept and what was suppressed; None if the latter is not told."""
    if not all(f"{SUPPRESSED}{name}" in detections for name in FIELDS):
        return None
    return {
        name: np.concatenate(
            [np.asarray(detections[each], np.float64) for each in (name, f"{SUPPRESSED}{name}")]
        )
        for name in FIELDS
    }


def nearest_candidate(
    candidates: Detections, detection: Detections, *, box_px: float, score: float
) -> tuple[float, float]:
    """Return how far the nearest candidate of a detection's class is: in pixels, and in score.

    It is the one that is nearest in units of ``box_px`` and ``score``; infinite if there is none
    that surely is the same object.
    """
    same = np.flatnonzero(candidates["labels"] == detection["labels"])
    boxes = candidates["boxes"][same]
    same = same[iou(boxes, detection["boxes"][None])[:, 0] >= SURE_IOU]
    if not same.size:
        return np.inf, np.inf
    moved = np.abs(candidates["boxes"][same] - detection["boxes"]).max(axis=1)
    change = np.abs(candidates["scores"][same] - detection["scores"])
    with np.errstate(divide="ignore", invalid="ignore"):
        best = int(np.argmin(np.nan_to_num(np.maximum(moved / box_px, change / score), nan=0.0)))
    return float(moved[best]), float(change[best])


def _pairs(actual: Detections, reference: Detections) -> Iterator[Pair]:
    """Match one to one with the greatest sum of similarities (Kuhn 1955, as DETR does)."""
    from scipy.optimize import linear_sum_assignment

    overlap = iou(reference["boxes"], actual["boxes"])
    same = reference["labels"][:, None] == actual["labels"][None, :]
    change = np.abs(reference["scores"][:, None] - actual["scores"][None, :])
    similarity: Array = overlap * np.where(same, 1.0, 0.5) * (1 - 0.5 * np.clip(change, 0, 1))
    similarity[overlap < SAME_OBJECT_IOU] = 0
    for expected, got in zip(*linear_sum_assignment(similarity, maximize=True), strict=True):
        if overlap[expected, got] >= SAME_OBJECT_IOU:
            yield Pair(int(expected), int(got), float(overlap[expected, got]))


def iou(left: Array, right: Array) -> Array:
    """Return the intersection over union of each pair; 1 for equal boxes without an area."""
    low = np.maximum(left[:, None, :2], right[None, :, :2])
    high = np.minimum(left[:, None, 2:], right[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    union = _area(left)[:, None] + _area(right)[None, :] - shared
    equal = (left[:, None] == right[None, :]).all(axis=2)
    overlap: Array = shared / np.where(union > 0, union, 1)
    return np.where(union > 0, overlap, equal.astype(np.float64))


def _area(boxes: Array) -> Array:
    areas: Array = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    return areas
