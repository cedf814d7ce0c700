"""How far eager's own detections are off at a precision: what rounding does to a detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.judges.matching import SURE_IOU, matched_images, nearest_candidate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_infer.judges.matching import Detections, MatchedImage

BOX_FLOOR_PX = 0.5
"""What drawing a box rounds away."""

SCORE_FLOOR = 0.005
"""What printing a score rounds away."""


@dataclass(frozen=True)
class DetectionNoise:
    """How far eager's own detections at the case's precision are from those of fp64."""

    box_px: float = 0.0
    score: float = 0.0


def detection_noise(
    eager: Sequence[Detections], reference: Sequence[Detections], *, threshold: float = 0.5
) -> DetectionNoise:
    """Return how far eager's detections at the case's precision are from those of fp64.

    Only objects that both find in one class, and surely are one object, count.
    """
    found = [
        each for image in matched_images(eager, reference, threshold) for each in _distances(image)
    ]
    return DetectionNoise(
        box_px=max((moved for moved, _ in found), default=0.0),
        score=max((change for _, change in found), default=0.0),
    )


def _distances(image: MatchedImage) -> Iterator[tuple[float, float]]:
    """Yield how far each object that both sides have is, in pixels and in score.

    Where candidates are told of, it is the nearest of them: what was suppressed was there.
    """
    if image.actual_candidates is None or image.reference_candidates is None:
        for pair in image.pairs:
            if image.is_same_class(pair) and pair.iou >= SURE_IOU:
                yield image.moved_px(pair), image.score_change(pair)
        return
    for detections, candidates in (
        (image.actual, image.reference_candidates),
        (image.reference, image.actual_candidates),
    ):
        for index in range(len(detections["scores"])):
            one = {name: values[index] for name, values in detections.items()}
            moved, change = nearest_candidate(
                candidates, one, box_px=BOX_FLOOR_PX, score=SCORE_FLOOR
            )
            if np.isfinite(moved):
                yield moved, change
