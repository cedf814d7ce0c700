"""The judge of detections: planted faults of known size, whatever the order of the queries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.judges.detection_noise import DetectionNoise, detection_noise
from pytest_infer.judges.detections import judge_detections
from pytest_infer.judges.tolerance import Tolerance

IMAGE = {
    "boxes": np.array([[10.0, 10, 110, 110], [200, 200, 300, 280], [15, 12, 115, 108]]),
    "labels": np.array([17, 75, 18]),
    "scores": np.array([0.9, 0.8, 0.7]),
}
REFERENCE = [IMAGE, {name: values[:0] for name, values in IMAGE.items()}]
LABELS = {17: "cat", 18: "dog", 75: "remote"}
NAMES = [LABELS.get(index, "?") for index in range(91)]
SUBJECT = "detr_resnet50-ort-fp32-b2"


def changed(name, index, value):
    """Return the reference with one value of the first image replaced."""
    values = IMAGE[name].copy()
    values[index] = value
    return [{**IMAGE, name: values}, REFERENCE[1]]


def kept(*indices):
    """Return the reference with some detections of the first image only."""
    return [{name: values[list(indices)] for name, values in IMAGE.items()}, REFERENCE[1]]


def judge(actual, **settings):
    """Judge with names of classes."""
    return judge_detections(actual, REFERENCE, labels=NAMES, subject=SUBJECT, **settings)


def test_equal_detections_match():
    """The same detections pass; an image without any is fine beside one that has some."""
    verdict = judge(REFERENCE)
    assert (verdict.status, verdict.code) == ("pass", "match")
    assert verdict.message == f"{SUBJECT} detects what eager fp64 does: 3 objects in 2 images"
    assert verdict.figures == {
        "detections": 3.0, "box_px": 0.0, "score": 0.0, "worst_iou": 1.0, "worst_ratio": 0.0,
    }  # fmt: skip


@given(st.permutations(range(3)))
def test_order_of_the_queries_is_free(order):
    """Any permutation of the detections gives the verdict of the original order."""
    assert judge(kept(*order)) == judge(REFERENCE)


@given(st.permutations(range(3)), st.sampled_from(range(3)))
def test_a_fault_is_the_same_in_any_order(order, index):
    """A box moved by 10 px is reported in the same words wherever it stands."""
    moved = changed("boxes", (index, slice(None)), IMAGE["boxes"][index] + [10, 0, 10, 0])
    shuffled = [{name: values[list(order)] for name, values in moved[0].items()}, moved[1]]
    assert judge(shuffled).message == judge(moved).message


def test_one_box_moved_by_10_px_is_seen():
    """A box moved by 10 px fails, with both boxes, the IoU and the tolerance."""
    verdict = judge(changed("boxes", 1, [210, 200, 310, 280]))
    assert (verdict.status, verdict.code) == ("fail", "moved-box")
    assert verdict.details == {"wrong_rows": [0]}
    assert verdict.message == (
        f"{SUBJECT}: 1 difference from the detections of eager fp64\n"
        "  why:  image 0: remote (75) at [200.0, 200.0, 300.0, 280.0] is at "
        "[210.0, 200.0, 310.0, 280.0] instead, 10 px away (allowed 0.5), IoU 0.82\n"
        "  mend: find what loses precision, or accept it: @pytest.mark.tolerance(box_px=10.0)"
    )
    assert verdict.figures["worst_ratio"] == 20
    assert judge(
        changed("boxes", 1, [210, 200, 310, 280]), tolerance=Tolerance(box_px=10)
    ).code == ("match")


def test_noise_has_a_ceiling():
    """However far off eager is, a score may not be; a box may be twice as far off as eager's."""
    moved = changed("boxes", 1, [210, 200, 310, 280])
    assert judge(moved, noise=DetectionNoise(box_px=4)).code == "moved-box"
    assert judge(moved, noise=DetectionNoise(box_px=5)).code == "match"
    assert judge(changed("scores", 0, 0.75), noise=DetectionNoise(score=1)).code == "wrong-score"


def test_eager_s_own_differences_are_told():
    """Where eager at the precision is as wrong, a failure says so; elsewhere it does not."""
    flipped = changed("labels", 1, 17)
    told = "eager itself has 1 difference in this precision, which may be too coarse for the model"
    assert told in judge(flipped, eager=flipped).message
    assert "eager itself" not in judge(flipped, eager=REFERENCE).message


def test_two_objects_near_the_threshold_are_no_pair():
    """What fell below the threshold and what rose above it, elsewhere, are no box that moved."""
    low = {"labels": np.array([17]), "scores": np.array([0.503])}
    sure = {"boxes": np.array([[300.0, 300, 400, 400]]), "labels": np.array([1])}
    sure["scores"] = np.array([0.9])
    here, there = np.array([[10.0, 10, 110, 110]]), np.array([[70.0, 10, 170, 110]])
    actual, expected = (
        {name: np.concatenate([{**low, "boxes": box}[name], sure[name]]) for name in sure}
        for box in (here, there)
    )
    assert judge_detections([actual], [expected]).code == "match"
    strong = {**expected, "scores": np.array([0.7, 0.9])}
    assert judge_detections([actual], [strong]).code == "moved-box"


def test_noise_widens_the_bounds():
    """A box may differ by half a pixel and four times eager's own difference."""
    moved = changed("boxes", 1, [202, 200, 302, 280])
    assert judge(moved).code == "moved-box"
    assert judge(moved, noise=DetectionNoise(box_px=0.375)).code == "match"


def test_one_flipped_class_is_seen():
    """A wrong class fails with its IoU, and no tolerance is offered."""
    verdict = judge(changed("labels", 1, 17))
    assert verdict.message == (
        f"{SUBJECT}: 1 difference from the detections of eager fp64\n"
        "  why:  image 0: remote (75) at [200.0, 200.0, 300.0, 280.0] is cat (17) instead, "
        "IoU 1.00\n"
        "  mend: find what loses precision; no tolerance forgives a wrong class"
    )
    assert verdict.code == "wrong-class"


def test_a_wrong_score_is_seen():
    """A score off by more than half a percent fails with both scores."""
    verdict = judge(changed("scores", 0, 0.88))
    assert verdict.code == "wrong-score"
    assert verdict.message == (
        f"{SUBJECT}: 1 difference from the detections of eager fp64\n"
        "  why:  image 0: cat (17) at [10.0, 10.0, 110.0, 110.0] scores 0.88 instead of 0.9, "
        "0.02 apart (allowed 0.005), IoU 1.00\n"
        "  mend: find what loses precision, or accept it: @pytest.mark.tolerance(score=0.021)"
    )


def test_a_missing_detection_is_seen():
    """A detection well above the threshold may not be absent."""
    verdict = judge(kept(0, 2))
    assert verdict.code == "missing-detection"
    assert verdict.message == (
        f"{SUBJECT}: 1 difference from the detections of eager fp64\n"
        "  why:  image 0: missing remote (75) at [200.0, 200.0, 300.0, 280.0], score 0.8, "
        "threshold 0.5, best IoU 0.00\n"
        "  mend: find what loses precision, or accept it: @pytest.mark.tolerance(score=0.31)"
    )


def test_an_extra_detection_is_seen():
    """A detection that the reference does not have is reported as extra, in its image."""
    verdict = judge([IMAGE, {name: values[:1] for name, values in IMAGE.items()}])
    assert verdict.code == "extra-detection"
    assert "image 1: extra cat (17) at [10.0, 10.0, 110.0, 110.0], score 0.9" in verdict.message


def test_a_box_elsewhere_is_missing_and_extra():
    """A box that no longer overlaps is two differences, not one that moved."""
    verdict = judge(changed("boxes", 1, [500, 500, 600, 600]))
    assert verdict.code == "missing-detection"
    assert "2 differences" in verdict.message
    assert "extra remote (75) at [500.0, 500.0, 600.0, 600.0]" in verdict.message


def test_overlapping_objects_keep_their_classes():
    """Two objects that overlap are matched by class, not by the nearer box."""
    verdict = judge(changed("boxes", 0, IMAGE["boxes"][2]))
    assert verdict.code == "moved-box"
    assert "cat (17)" in verdict.message
    assert "dog" not in verdict.message


@pytest.mark.parametrize(("score", "code"), [(0.504, "match"), (0.52, "missing-detection")])
def test_a_near_tie_with_the_threshold_may_be_absent(score, code):
    """What scores within the tolerance of the threshold may be missing, or extra."""
    near = changed("scores", 2, score)
    assert judge_detections(kept(0, 1), near).code == code
    assert judge_detections(near, kept(0, 1)).code == code.replace("missing", "extra")


def test_what_scores_below_the_threshold_does_not_count():
    """All hundred queries may be passed: the judge drops those below the threshold."""
    low = changed("scores", 2, 0.1)
    assert judge_detections(kept(0, 1), low).code == "match"


@pytest.mark.parametrize(
    ("actual", "reference", "why"),
    [
        ([], [], "there are no images"),
        ([REFERENCE[1]], [REFERENCE[1]], "the reference has no detection of 0.5 or more"),
        (
            [{**IMAGE, "scores": np.full(3, 0.1)}],
            [{**IMAGE, "scores": np.full(3, 0.501)}],
            "every score is within 0.005 of 0.5",
        ),
    ],
)
def test_nothing_to_compare_is_vacuous(actual, reference, why):
    """No image, no detection or no pair compared is a failure."""
    verdict = judge_detections(actual, reference)
    assert (verdict.status, verdict.code) == ("fail", "vacuous")
    assert verdict.message == (
        "engine: the comparison of detections would prove nothing\n"
        f"  why:  {why}\n"
        "  mend: give the model realistic weights and photographs with objects "
        "(--infer-weights, --infer-images)"
    )


@pytest.mark.parametrize(
    ("actual", "code", "why"),
    [
        (REFERENCE[:1], "wrong-shape", "the engine has 1 images, the reference 2"),
        (changed("scores", 1, np.nan), "not-finite", "image 0: the engine's scores[1] is nan"),
        (
            changed("boxes", (2, 3), np.inf),
            "not-finite",
            "image 0: the engine's boxes[2, 3] is inf",
        ),
        (
            [{**IMAGE, "boxes": np.ones((3, 5))}, REFERENCE[1]],
            "wrong-shape",
            "image 0: the engine's boxes have the shape (3, 5), not (3, 4)",
        ),
        (
            [{"boxes": IMAGE["boxes"], "scores": IMAGE["scores"]}, REFERENCE[1]],
            "missing-output",
            "image 0: the engine's labels are missing",
        ),
    ],
)
def test_malformed_detections_are_verdicts(actual, code, why):
    """Arrays that cannot be compared are failures that name image, array and element."""
    verdict = judge(actual)
    assert (verdict.status, verdict.code) == ("fail", code)
    assert verdict.message == (
        f"{SUBJECT}: the detections cannot be compared\n"
        f"  why:  {why}\n"
        "  mend: look at the outputs and the model's postprocess=, which returns for each row a "
        "dict of boxes (n, 4), labels (n,) and scores (n,); no tolerance forgives it"
    )


def test_a_postprocessing_without_scores_is_refused():
    """It is no matter of weights: both sides lack them."""
    odd = [{"boxes": IMAGE["boxes"]}, {"boxes": IMAGE["boxes"]}]
    verdict = judge_detections(odd, odd, subject=SUBJECT)
    assert verdict.code == "wrong-shape"
    assert "the reference's boxes have the shape (3, 4), not (0, 4)" in verdict.message


def test_a_reference_with_nan_is_vacuous():
    """NaN on the reference's side is the reference's fault."""
    assert judge_detections(REFERENCE, changed("scores", 1, np.nan)).code == "vacuous"


def test_many_differences_are_cut_short():
    """A message shows six differences and counts the rest."""
    count = 10
    image = {
        "boxes": np.arange(count)[:, None] * 100.0 + np.array([0, 0, 50, 50]),
        "labels": np.arange(count),
        "scores": np.full(count, 0.9),
    }
    verdict = judge_detections([{**image, "labels": image["labels"][::-1]}], [image])
    assert "10 differences" in verdict.message
    assert "\n        and 4 more\n" in verdict.message


def test_boxes_without_an_area_match_themselves():
    """Equal boxes of no area have an IoU of 1, so nothing is divided by zero."""
    image = {**IMAGE, "boxes": np.zeros((3, 4))}
    assert judge_detections([image], [image]).code == "match"


def test_detection_noise_is_eagers_worst_difference():
    """Noise is the worst box and score of the objects that both find in one class."""
    eager = changed("boxes", 1, [200.5, 200, 300, 280])
    eager[0]["scores"] = np.array([0.9, 0.79, 0.7])
    noise = detection_noise(eager, REFERENCE)
    assert noise == DetectionNoise(box_px=0.5, score=pytest.approx(0.01))
    assert detection_noise(changed("labels", 1, 3), REFERENCE) == DetectionNoise()


def test_equal_boxes_are_matched_by_class():
    """Two classes at one place in exchanged order are the same two detections."""
    image = {**IMAGE, "boxes": np.tile(IMAGE["boxes"][:1], (3, 1)), "scores": np.full(3, 0.9)}
    shuffled = {name: values[[2, 0, 1]] for name, values in image.items()}
    assert judge_detections([shuffled], [image]).code == "match"


def test_boxes_that_hardly_overlap_do_not_weigh():
    """A pair below the least IoU never takes a better pair's partner."""
    boxes = np.array([[0.0, 0, 100, 10], [116.5, 0, 216.5, 10]])
    moved = np.array([[33.0, 0, 133, 10], [-38, 0, 62, 10]])
    image = {"boxes": boxes, "labels": np.array([1, 1]), "scores": np.array([0.9, 0.9])}
    verdict = judge_detections([{**image, "boxes": moved}], [image])
    assert "33 px away" in verdict.message
    assert "missing class 1 at [116.5" in verdict.message


RIVAL = {"boxes": np.array([[206.0, 200, 306, 280]]), "labels": np.array([75])}
"""A candidate of the second object, 6 px off, which suppression removes or keeps."""


def suppressed(image, *, kept, score=0.799, rival=RIVAL):
    """Return a side that keeps one of two near-ties, and tells of the other."""
    first = {name: values[1:2] for name, values in IMAGE.items()}
    second = {**rival, "scores": np.array([score])}
    own, other = (first, second) if kept == "first" else (second, first)
    rest = {name: values[[0, 2]] for name, values in image.items()}
    sides = {name: np.concatenate([rest[name], own[name]]) for name in IMAGE}
    return [sides | {f"suppressed_{name}": values for name, values in other.items()}]


def test_which_of_two_near_ties_is_suppressed_is_rounding():
    """A box 6 px away is the same object where each side had the other's before suppression."""
    expected = suppressed(IMAGE, kept="first")
    actual = suppressed(IMAGE, kept="second")
    assert judge_detections(actual, expected).code == "match"
    assert judge_detections(actual, expected).figures["box_px"] == 0
    untold = [{name: each[name] for name in IMAGE} for each in actual]
    assert judge_detections(untold, expected).code == "moved-box"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"score": 0.7}, "moved-box"),  # in the reference it is no near-tie
        ({"rival": {**RIVAL, "boxes": RIVAL["boxes"] + 2}}, "moved-box"),
        ({"rival": {**RIVAL, "labels": np.array([18])}}, "moved-box"),
    ],
)
def test_what_the_reference_never_had_is_no_near_tie(change, code):
    """A candidate counts only within the tolerances of a pair, and of its class."""
    expected = suppressed(IMAGE, kept="first", **change)
    assert judge_detections(suppressed(IMAGE, kept="second"), expected).code == code


def test_what_is_suppressed_on_one_side_only_is_there():
    """Two boxes at the bound of overlap: one side keeps both, the other has seen both."""
    both = [
        {
            name: np.concatenate([IMAGE[name], ({**RIVAL, "scores": [0.799]})[name]])
            for name in IMAGE
        }
        | {f"suppressed_{name}": values[:0] for name, values in IMAGE.items()}
    ]
    one = suppressed(IMAGE, kept="first")
    assert judge_detections(one, both).code == "match"
    assert judge_detections(both, one).code == "match"
    without = [{**one[0], **{f"suppressed_{name}": IMAGE[name][:0] for name in IMAGE}}]
    assert judge_detections(without, both).code == "missing-detection"
    assert judge_detections(both, without).code == "extra-detection"


def test_noise_is_not_that_of_suppression():
    """Where eager keeps another of two near-ties, its boxes are no further off for it."""
    expected, eager = suppressed(IMAGE, kept="first"), suppressed(IMAGE, kept="second")
    assert detection_noise(eager, expected) == DetectionNoise()
    eager[0]["boxes"] = eager[0]["boxes"] + np.array([0.25, 0, 0, 0])
    assert detection_noise(eager, expected).box_px == 0.25
    untold = [{name: eager[0][name] for name in IMAGE}]
    assert detection_noise(untold, expected).box_px == 6.25


def test_malformed_candidates_are_verdicts():
    """What is told of suppressed detections must be whole, too."""
    expected = suppressed(IMAGE, kept="first")
    actual = suppressed(IMAGE, kept="first")
    del actual[0]["suppressed_scores"]
    verdict = judge_detections(actual, expected)
    assert verdict.code == "missing-output"
    assert "image 0: the engine's suppressed_scores are missing" in verdict.message
