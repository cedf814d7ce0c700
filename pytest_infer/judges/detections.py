"""The judge of detections: boxes, classes and scores, whatever the order of the queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pytest_infer.judges.detection_form import malformed, vacuous
from pytest_infer.judges.detection_noise import BOX_FLOOR_PX, SCORE_FLOOR, DetectionNoise
from pytest_infer.judges.matching import (
    Detections,
    MatchedImage,
    Pair,
    iou,
    matched_images,
    nearest_candidate,
    split_doubtful,
)
from pytest_infer.judges.shown_rows import WRONG_ROWS
from pytest_infer.judges.tolerance import Tolerance, mark_from_bounds, rounded_bound
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.arrays import Array

BOX_CEILING_PX = 8.0
"""Much on an image of 800 x 1066."""

SCORE_CEILING = 0.1
"""A tenth turns one decision into another."""

NOISE_FACTOR, LEAST_FACTOR = 4.0, 2.0
"""How many times eager's own largest difference is allowed; and how many times a box's, if that is
beyond its ceiling: in bf16, DETR's boxes are 13 px off in the median in eager itself."""

_CODES = ("missing-detection", "extra-detection", "wrong-class", "moved-box", "wrong-score")
_SHOWN = 6


@dataclass(frozen=True)
class _Fault:
    """One thing wrong with one detection, and the tolerance that would have passed it."""

    code: str
    text: str
    needs: Mapping[str, float]
    """Empty if no tolerance forgives it."""


@dataclass(frozen=True)
class _Rules:
    """What one call of the judge goes by."""

    box_px: float
    score: float
    threshold: float
    labels: Sequence[str]
    images: Sequence[str] = ()

    def image(self, number: int) -> str:
        """Return what an image is called."""
        return self.images[number] if self.images else f"image {number}"

    def name_of(self, label: Any) -> str:
        """Return a class by its label, or by its number if it has none."""
        index = int(label)
        is_known = 0 <= index < len(self.labels)
        return f"{self.labels[index]} ({index})" if is_known else f"class {index}"


def judge_detections(
    actual: Sequence[Detections],
    reference: Sequence[Detections],
    *,
    eager: Sequence[Detections] | None = None,
    noise: DetectionNoise | None = None,
    tolerance: Tolerance | None = None,
    threshold: float = 0.5,
    labels: Sequence[str] = (),
    images: Sequence[str] = (),
    subject: str = "engine",
) -> Verdict:
    """Judge an engine's detections, one mapping per image, against those of eager fp64.

    Detections that score below ``threshold`` do not count. The others are matched one to one, so
    that the sum over pairs of IoU, halved for another class and lessened by the difference of the
    scores, is greatest. A matched box may differ by ``BOX_FLOOR_PX + NOISE_FACTOR * noise.box_px``
    in any coordinate, at most by ``BOX_CEILING_PX`` or ``LEAST_FACTOR * noise.box_px``, whichever
    is more, and a score likewise, at most by ``SCORE_CEILING``; ``tolerance.box_px`` and
    ``tolerance.score`` replace these. A detection may be missing or extra only if its score is that
    near to the threshold; a pair of two such that hardly overlap is one missing and one extra.
    Which of several that overlap is suppressed may be a near-tie: where both sides tell what was
    suppressed, a detection is there if the other side has it among its candidates, as near as a
    matched one must be. How many differences ``eager`` has itself, at the case's precision, stands
    beside a failure.
    ``images`` are what a message calls them. Pass:
    ``match``; fail: ``missing-detection``, ``extra-detection``, ``wrong-class``, ``moved-box``,
    ``wrong-score``, ``not-finite``, ``missing-output``, ``wrong-shape``, ``vacuous``.
    """
    fault = malformed(actual, reference, subject)
    if fault:
        return fault
    given = tolerance or Tolerance()
    rules = replace(_rules(noise or DetectionNoise(), given, threshold, labels), images=images)
    found = _compared(actual, reference, rules)
    faults = [fault for image in found for fault in _faults(image, rules)]
    if not any(len(image.reference["scores"]) for image in found):
        return vacuous(f"the reference has no detection of {threshold:g} or more", subject)
    if faults:
        own = _compared(eager, reference, rules) if eager else []
        count = sum(1 for image in own for _ in _faults(image, rules))
        verdict = _failed(faults, given, _figures(found, rules), subject, count)
        wrong = [image.number for image in found if any(_faults(image, rules))]
        return replace(verdict, details={WRONG_ROWS: wrong})
    if not any(image.pairs for image in found):
        return vacuous(f"every score is within {rules.score:g} of {threshold:g}", subject)
    message = (
        f"{subject} detects what eager fp64 does: {sum(len(each.pairs) for each in found)} "
        f"objects in {len(found)} images"
    )
    return Verdict("parity", "pass", "match", message, _figures(found, rules))


def _rules(
    noise: DetectionNoise, given: Tolerance, threshold: float, labels: Sequence[str]
) -> _Rules:
    ceiling_px = max(BOX_CEILING_PX, LEAST_FACTOR * noise.box_px)
    box_px = min(BOX_FLOOR_PX + NOISE_FACTOR * noise.box_px, ceiling_px)
    score = min(SCORE_FLOOR + NOISE_FACTOR * noise.score, SCORE_CEILING)
    return _Rules(
        box_px=box_px if given.box_px is None else given.box_px,
        score=score if given.score is None else given.score,
        threshold=threshold,
        labels=labels,
    )


def _compared(
    actual: Sequence[Detections], reference: Sequence[Detections], rules: _Rules
) -> list[MatchedImage]:
    return [
        split_doubtful(image, rules.threshold + rules.score)
        for image in matched_images(actual, reference, rules.threshold)
    ]


def _faults(image: MatchedImage, rules: _Rules) -> Iterator[_Fault]:
    yield from _unmatched(image, "missing", rules)
    yield from _unmatched(image, "extra", rules)
    for pair in image.pairs:
        if not _is_near_tie(image, pair, rules):
            yield from _pair_faults(image, pair, rules)


def _is_near_tie(image: MatchedImage, pair: Pair, rules: _Rules) -> bool:
    """Return whether a pair that differs is of two near-ties: each side had the other's, too."""
    if not any(_pair_faults(image, pair, rules)):
        return False
    return _is_candidate(image, "missing", pair.expected, rules) and _is_candidate(
        image, "extra", pair.got, rules
    )


def _is_candidate(
    image: MatchedImage, side: Literal["missing", "extra"], index: int, rules: _Rules
) -> bool:
    """Return whether the other side had a detection before it suppressed some."""
    own, others = (
        (image.reference, image.actual_candidates)
        if side == "missing"
        else (image.actual, image.reference_candidates)
    )
    if others is None:
        return False
    one = {name: values[index] for name, values in own.items()}
    moved, change = nearest_candidate(others, one, box_px=rules.box_px, score=rules.score)
    return moved <= rules.box_px and change <= rules.score


def _unmatched(
    image: MatchedImage, side: Literal["missing", "extra"], rules: _Rules
) -> Iterator[_Fault]:
    detections = image.reference if side == "missing" else image.actual
    found = {pair.expected if side == "missing" else pair.got for pair in image.pairs}
    for index, score in enumerate(detections["scores"].tolist()):
        above = score - rules.threshold
        if index in found or above <= rules.score or _is_candidate(image, side, index, rules):
            continue
        text = (
            f"{rules.image(image.number)}: {side} {rules.name_of(detections['labels'][index])} at "
            f"{_box(detections['boxes'][index])}, score {score:.4g}, threshold "
            f"{rules.threshold:g}, best IoU {_best_iou(image, side, index):.2f}"
        )
        yield _Fault(f"{side}-detection", text, {"score": above})


def _best_iou(image: MatchedImage, side: str, index: int) -> float:
    overlap = iou(image.reference["boxes"], image.actual["boxes"])
    others = overlap[index] if side == "missing" else overlap[:, index]
    return float(others.max(initial=0.0))


def _pair_faults(image: MatchedImage, pair: Pair, rules: _Rules) -> Iterator[_Fault]:
    got = {name: values[pair.got] for name, values in image.actual.items()}
    expected = {name: values[pair.expected] for name, values in image.reference.items()}
    name = rules.name_of(expected["labels"])
    place = f"{rules.image(image.number)}: {name} at {_box(expected['boxes'])}"
    moved, change = image.moved_px(pair), image.score_change(pair)
    if not image.is_same_class(pair):
        text = f"{place} is {rules.name_of(got['labels'])} instead, IoU {pair.iou:.2f}"
        yield _Fault("wrong-class", text, {})
    if not moved <= rules.box_px:
        text = (
            f"{place} is at {_box(got['boxes'])} instead, {moved:.3g} px away "
            f"(allowed {rules.box_px:.3g}), IoU {pair.iou:.2f}"
        )
        yield _Fault("moved-box", text, {"box_px": moved})
    if not change <= rules.score:
        text = (
            f"{place} scores {got['scores']:.4g} instead of {expected['scores']:.4g}, "
            f"{change:.3g} apart (allowed {rules.score:.3g}), IoU {pair.iou:.2f}"
        )
        yield _Fault("wrong-score", text, {"score": change})


def _failed(
    faults: list[_Fault],
    given: Tolerance,
    figures: Mapping[str, float],
    subject: str,
    eagers: int,
) -> Verdict:
    ordered = sorted(faults, key=lambda fault: _CODES.index(fault.code))
    more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    if eagers:
        more.append(
            f"eager itself has {_counted(eagers)} in this precision, which may be too coarse for "
            "the model"
        )
    return failed(
        "parity",
        ordered[0].code,
        what=f"{subject}: {_counted(len(faults))} from the detections of eager fp64",
        why="\n".join([*(fault.text for fault in ordered[:_SHOWN]), *more]),
        mend=_mend(faults, given),
        figures=figures,
    )


def _counted(number: int) -> str:
    return "1 difference" if number == 1 else f"{number} differences"


def _mend(faults: list[_Fault], given: Tolerance) -> str:
    if any(not fault.needs for fault in faults):
        return "find what loses precision; no tolerance forgives a wrong class"
    needs = {
        name: rounded_bound(max(fault.needs[name] for fault in faults if name in fault.needs))
        for name in ("box_px", "score")
        if any(name in fault.needs for fault in faults)
    }
    bounds = given.as_dict() | needs
    return f"find what loses precision, or accept it: {mark_from_bounds(bounds)}"


def _figures(images: list[MatchedImage], rules: _Rules) -> dict[str, float]:
    pairs = [
        (image, pair)
        for image in images
        for pair in image.pairs
        if not _is_near_tie(image, pair, rules)
    ]
    if not pairs:
        return {}
    box_px = max(image.moved_px(pair) for image, pair in pairs)
    score = max(image.score_change(pair) for image, pair in pairs)
    ratios = [
        value / bound
        for value, bound in ((box_px, rules.box_px), (score, rules.score))
        if bound > 0
    ]
    return {
        "detections": float(len(pairs)),
        "box_px": box_px,
        "score": score,
        "worst_iou": min(pair.iou for _, pair in pairs),
        "worst_ratio": max(ratios, default=0.0),
    }


def _box(box: Array) -> str:
    return "[" + ", ".join(f"{float(edge):.1f}" for edge in box) + "]"
