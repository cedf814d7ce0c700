"""Segmentation: the class of every pixel, from logits (rows, classes, height, width)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.arrays import Array
from pytest_infer.judges.changes import told_changes, worst_ratio
from pytest_infer.judges.choices import Choices, compare_choices
from pytest_infer.judges.tasks.registry import task
from pytest_infer.judges.tolerance import mark_from_bounds, rounded_bound

if TYPE_CHECKING:
    from pytest_infer.judges.judged_rows import JudgedRows
    from pytest_infer.judges.tolerance import Tolerance
    from pytest_infer.verdict import Verdict

_AXES = 4


@task()
def segmentation(rows: JudgedRows) -> Verdict:
    """Judge the map of classes that the largest logits make, of the first output.

    One channel is the logit of class 1 against class 0. A changed pixel is forgiven only where the
    reference's two logits are within `Choices.margin`, and all of them are no more than
    `Choices.allowed_share`. ``tolerance.changed_pixels`` and ``tolerance.miou`` replace both. mIoU
    is the mean over the classes that the reference has anywhere. Pass: ``match``; fail:
    ``wrong-mask``, ``wrong-form``, ``vacuous``.
    """
    logits = rows.first
    if logits.reference.ndim != _AXES or not logits.reference.size:
        return rows.of_another_form(logits, "(rows, classes, height, width)")
    classes = max(logits.reference.shape[1], 2)
    choices = compare_choices(
        _with_background(logits.actual),
        _with_background(logits.reference),
        None if logits.eager is None else _with_background(logits.eager),
        axis=1,
        precision=rows.precision,
    )
    overlap = _Overlap.of(choices, classes)
    if why := _pointless(choices, overlap):
        return rows.vacuous(why)
    return _judged(rows, choices, overlap)


@dataclass(frozen=True)
class _Overlap:
    """How often the reference has each class, and the engine, in the same pixels."""

    pixels: Array
    """(classes of the reference, classes of the engine)."""

    @classmethod
    def of(cls, choices: Choices, classes: int) -> _Overlap:
        pixels = np.zeros((classes, classes), np.int64)
        for each in choices.rows:
            both = each.reference.ravel() * classes + each.actual.choices.ravel()
            pixels += np.bincount(both, minlength=classes**2).reshape(classes, classes)
        return cls(pixels)

    @property
    def present(self) -> Array:
        """Return the classes that the reference has anywhere."""
        return np.flatnonzero(self.pixels.sum(1))

    @property
    def miou(self) -> float:
        """Return the mean over those of the intersection over the union."""
        shared = np.diag(self.pixels)
        union = self.pixels.sum(0) + self.pixels.sum(1) - shared
        return float(np.mean(shared[self.present] / union[self.present]))


def _with_background(logits: Array) -> Array:
    """Return logits of two classes where there is one channel: class 0 is 0."""
    if logits.shape[1] > 1:
        return logits
    return np.concatenate([np.zeros_like(logits), logits], axis=1)


def _pointless(choices: Choices, overlap: _Overlap) -> str:
    if len(overlap.present) == 1:
        return f"the reference has one class, {int(overlap.present[0])}, in every pixel"
    if choices.lead <= choices.margin:
        return f"every change would be forgiven: no class leads by more than {choices.margin:.3g}"
    return ""


def _judged(rows: JudgedRows, choices: Choices, overlap: _Overlap) -> Verdict:
    figures = {"changed_pixels": choices.share, "miou": overlap.miou}
    flaws = _missed(rows.tolerance, figures)
    if flaws is None:
        flaws = told_changes(choices, rows.rows, rows.labels, "pixel")
        figures["worst_ratio"] = worst_ratio(choices)
    if not flaws:
        return rows.passed(
            f"gives {choices.places} pixels the classes of eager fp64: mIoU {overlap.miou:.6g} "
            f"over {len(overlap.present)} classes, {choices.changed} changed within "
            f"{choices.margin:.3g}",
            figures,
        )
    bounds = rows.tolerance.as_dict() | {
        "changed_pixels": rounded_bound(choices.share),
        "miou": rounded_bound(overlap.miou, "higher"),
    }
    return rows.failed(
        "wrong-mask",
        f"the classes of {choices.changed} of {choices.places} pixels differ from eager fp64, "
        f"mIoU {overlap.miou:.4g}",
        why="\n".join(flaws),
        mend=f"find what loses precision, or accept it: {mark_from_bounds(bounds)}",
        figures=figures,
    )


def _missed(given: Tolerance, figures: dict[str, float]) -> list[str] | None:
    """Return which tolerances that were set are missed; None if none was set."""
    most, least = given.changed_pixels, given.miou
    if most is None and least is None:
        return None
    flaws = []
    if figures["changed_pixels"] > (math.inf if most is None else most):
        flaws.append(f"changed_pixels {figures['changed_pixels']:.4g} > {most:.4g}")
    if figures["miou"] < (least or 0.0):
        flaws.append(f"miou {figures['miou']:.6g} < {least:.6g}")
    return flaws
