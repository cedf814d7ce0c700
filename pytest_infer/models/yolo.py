"""Detectors that put out one tensor of boxes and scores, as YOLO's exports do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pytest_infer.errors import ModelError

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]

GREY = 114 / 255
"""The value around a letterboxed photograph, as in YOLOv5."""

MOST_CANDIDATES = 30_000
"""The best are kept before suppression, as in Ultralytics' own postprocessing."""

_AXES, _LAST = 3, 2


@dataclass(frozen=True)
class Yolo:
    """Preprocessing and postprocessing of a detector with one output of boxes and scores.

    The output is (rows, 4 + classes, anchors), as of YOLOv8 and later; or, with ``values_axis=2``,
    (rows, anchors, 5 + classes), as of YOLOv5 to 7 and YOLOX, with an objectness behind the box.
    A box is its centre, width and height in pixels of the letterboxed input; scores are
    probabilities. Give ``classes`` if more than these follow, as coefficients of masks do.
    """

    height: int = 640
    width: int = 640
    input: str = "images"
    """The name of the model's input."""
    threshold: float = 0.25
    """The least score of a detection."""
    iou: float = 0.45
    """Of two boxes of a class that overlap more, the one with the lower score is suppressed."""
    most: int = 300
    """Detections of one row."""
    values_axis: int = 1
    has_objectness: bool | None = None
    """None: where the values are the last axis."""
    classes: int | None = None

    def __post_init__(self) -> None:
        """Raise `ModelError` for what no detector has."""
        if self.values_axis not in {1, _LAST}:
            raise _unusable(f"values_axis={self.values_axis}", "the values are axis 1 or 2")
        for name in ("threshold", "iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise _unusable(f"{name}={getattr(self, name)}", "it is a share from 0 to 1")

    def preprocess(self, photographs: Sequence[Array]) -> dict[str, Array]:
        """Return photographs (uint8, height x width x RGB) letterboxed, (rows, 3, height, width).

        Each keeps its sides' ratio, lies in the middle of grey, and has values from 0 to 1.
        """
        return {self.input: np.stack([self._letterboxed(each) for each in photographs])}

    def postprocess(self, outputs: Arrays) -> list[Arrays]:
        """Return each row's ``boxes`` (x1, y1, x2, y2), ``labels`` and ``scores``, best first.

        Boxes are in pixels of the input, where an error of half a pixel means the same whatever the
        photograph's size; `on_photograph` takes them there. What non-maximum suppression removed
        follows under the same names after ``suppressed_``, so that a near-tie can be told.
        """
        values = self._values(outputs)
        return [self._row(row) for row in values]

    def on_photograph(self, boxes: Array, photograph: Array) -> Array:
        """Return boxes of the input in pixels of a photograph (height, width, ...), within it."""
        place = self._place(photograph)
        left, top = place.left, place.top
        moved = (boxes - np.array([left, top, left, top])) / np.array([*place.ratio, *place.ratio])
        height, width = photograph.shape[:2]
        inside: Array = np.clip(moved, 0, [width, height, width, height])
        return inside

    def _letterboxed(self, photograph: Array) -> Array:
        from PIL import Image

        place = self._place(photograph)
        size = (place.width, place.height)
        resized = Image.fromarray(photograph).resize(size, Image.Resampling.BILINEAR)
        framed = np.full((self.height, self.width, 3), GREY, np.float32)
        framed[place.top : place.top + place.height, place.left : place.left + place.width] = (
            np.asarray(resized, np.float32) / 255
        )
        return np.ascontiguousarray(framed.transpose(2, 0, 1))

    def _place(self, photograph: Array) -> _Place:
        height, width = photograph.shape[:2]
        scale = min(self.height / height, self.width / width)
        inner = max(1, round(height * scale)), max(1, round(width * scale))
        top, left = (self.height - inner[0]) // 2, (self.width - inner[1]) // 2
        return _Place(top, left, *inner, (inner[1] / width, inner[0] / height))

    def _values(self, outputs: Arrays) -> Array:
        """Return the first output as (rows, anchors, values) in fp64."""
        first = np.asarray(next(iter(outputs.values())), np.float64)
        if first.ndim != _AXES:
            raise ModelError(
                "cannot read boxes and scores",
                why=f"the model's first output has the shape {first.shape}, not three axes",
                mend="let the model put out one tensor, or write a postprocess of your own",
            )
        return first if self.values_axis == _LAST else first.swapaxes(1, 2)

    def _row(self, values: Array) -> dict[str, Array]:
        """Return the detections of one row's (anchors, values)."""
        scores = self._scores(values)
        anchors, labels = np.nonzero(scores >= self.threshold)
        found = scores[anchors, labels]
        best = np.argsort(-found, kind="stable")[:MOST_CANDIDATES]
        anchors, labels, found = anchors[best], labels[best], found[best]
        boxes = _corners(values[anchors, :4])
        # another class of the same anchor is a candidate, and no detection
        is_best = labels == np.argmax(scores[anchors], axis=1)
        kept = self._kept(boxes, labels, found, is_best)
        rest = np.setdiff1d(np.arange(len(found)), kept)
        parts = {"": kept, "suppressed_": rest}
        return {
            f"{prefix}{name}": array[index]
            for prefix, index in parts.items()
            for name, array in (("boxes", boxes), ("labels", labels), ("scores", found))
        }

    def _scores(self, values: Array) -> Array:
        """Return (anchors, classes)."""
        is_last = self.values_axis == _LAST
        has_objectness = is_last if self.has_objectness is None else self.has_objectness
        first = 5 if has_objectness else 4
        last = values.shape[1] if self.classes is None else first + self.classes
        if not first < last <= values.shape[1]:
            raise ModelError(
                "cannot read boxes and scores",
                why=f"{values.shape[1]} values of an anchor are no {first} and scores of classes",
                mend="check values_axis, has_objectness and classes of Yolo(...)",
            )
        scores = values[:, first:last]
        return scores * values[:, 4:5] if has_objectness else scores

    def _kept(self, boxes: Array, labels: Array, scores: Array, is_best: Array) -> Array:
        """Return the indices of what is kept of each anchor's best class, best first."""
        import torch
        from torchvision.ops import batched_nms

        own = np.flatnonzero(is_best)
        kept = batched_nms(
            torch.from_numpy(boxes[own]),
            torch.from_numpy(scores[own]),
            torch.from_numpy(labels[own]),
            self.iou,
        )
        chosen: Array = own[kept.numpy()[: self.most]]
        return chosen


class _Place(NamedTuple):
    """Where a photograph lies in the input, in pixels."""

    top: int
    left: int
    height: int
    width: int
    ratio: tuple[float, float]
    """Pixels of the input for one of the photograph, across and down."""


def _corners(boxes: Array) -> Array:
    """Return boxes given by centre, width and height as x1, y1, x2, y2."""
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _unusable(setting: str, why: str) -> ModelError:
    return ModelError(
        f"cannot use Yolo({setting})",
        why=why,
        mend="leave it out, or give what the detector's export is documented to have",
    )
