"""What is shown beside a photograph: both sides' best classes, or boxes."""

import numpy as np
import pytest
from scipy.special import softmax

from pytest_infer.judges.shown_rows import MOST_BOXES, shown_classes, shown_detections
from pytest_infer.judges.tasks.classification import judge_classes

from .tasks.rows_of import rows_of

LOGITS = np.array([[3.0, 2.0, 1.0, 0.0, -1.0, -2.0, -3.0]])
SWAPPED = LOGITS[:, [6, 1, 2, 3, 4, 5, 0]]
NAMES = ["a", "b", "c", "d", "e", "f", "g"]


def test_best_classes_of_both_sides():
    """The reference's five come first, then those that only the engine has among its five."""
    shown = shown_classes(rows_of("classification", SWAPPED, LOGITS, labels=NAMES), 0)["classes"]
    assert [each["name"] for each in shown] == ["a", "b", "c", "d", "e", "g"]
    expected, got = softmax(LOGITS[0]), softmax(SWAPPED[0])
    assert [each["reference"] for each in shown[:2]] == [round(each, 4) for each in expected[:2]]
    assert shown[0]["engine"] == round(got[0], 4)


def test_probabilities_stay():
    """What a softmax has made already is shown as it is; a class without a name has its number."""
    shares = np.array([[0.5, 0.3, 0.2]])
    shown = shown_classes(rows_of("classification", shares, shares), 0)["classes"]
    assert [(each["name"], each["engine"]) for each in shown] == [
        ("class 0", 0.5),
        ("class 1", 0.3),
        ("class 2", 0.2),
    ]


@pytest.mark.parametrize(("actual", "wrong"), [(LOGITS, None), (SWAPPED, [0])])
def test_wrong_rows(actual, wrong):
    """A failure says for which rows it is one."""
    verdict = judge_classes(rows_of("classification", actual, LOGITS))
    assert verdict.details.get("wrong_rows") == wrong


def detections(boxes, labels, scores):
    """Return detections of one image."""
    return {
        "boxes": np.float64(boxes).reshape(-1, 4),
        "labels": np.array(labels, np.int64),
        "scores": np.array(scores),
    }


def shown_boxes(engine, reference):
    """Return what is shown of one image's detections."""
    rows = rows_of("detection", {"y": LOGITS}, {"y": LOGITS}, labels=["cup", "cat"])
    found = iter([[engine], [reference], [reference]])
    object.__setattr__(rows, "postprocess", lambda _: next(found))
    return shown_detections(rows, 0)["boxes"]


def test_boxes_of_both_sides():
    """Each has its side; what scores less than the threshold is left out, and differs from none."""
    engine = detections([[0, 0, 9, 9], [20, 0, 30, 9], [50, 0, 60, 9]], [0, 1, 0], [0.9, 0.8, 0.4])
    reference = detections([[0, 1, 9, 9], [20, 0, 30, 9]], [0, 0], [0.9, 0.7])
    assert [
        (each["side"], each["name"], each["differs"]) for each in shown_boxes(engine, reference)
    ] == [
        ("reference", "cup", True),  # a cat there
        ("reference", "cup", False),
        ("engine", "cat", True),
        ("engine", "cup", False),
    ]
    assert shown_boxes(engine, reference)[1] == {
        "side": "reference",
        "name": "cup",
        "score": 0.9,
        "box": [0.0, 1.0, 9.0, 9.0],
        "differs": False,
    }


def test_many_boxes():
    """Of a crowd those that differ are shown first, then those with the highest scores."""
    many = detections(
        [[20 * n, 0, 20 * n + 9, 9] for n in range(30)], [0] * 30, np.linspace(0.9, 0.6, 30)
    )
    reference = {name: values[:-1] for name, values in many.items()}
    shown = [each for each in shown_boxes(many, reference) if each["side"] == "engine"]
    assert len(shown) == MOST_BOXES
    assert [each["score"] for each in shown[:2]] == [0.6, 0.9]
    assert [each["differs"] for each in shown[:2]] == [True, False]


def test_no_boxes():
    """Where one side has none, all of the other's differ."""
    none = detections([], [], [])
    assert shown_boxes(none, none) == []
    (box,) = shown_boxes(none, detections([0, 0, 9, 9], [0], [0.9]))
    assert box["differs"]
