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


def detections(scores):
    """Return boxes with these scores, each at its number."""
    count = len(scores)
    return {
        "boxes": np.arange(4 * count, dtype=np.float64).reshape(count, 4),
        "labels": np.zeros(count, np.int64),
        "scores": np.asarray(scores),
    }


def test_boxes_of_both_sides():
    """Each box has its side; what scores less than the threshold is left out."""
    rows = rows_of("detection", {"y": LOGITS}, {"y": LOGITS}, labels=["cup"])
    found = iter([[detections([0.4, 0.9])], [detections([0.8])], [detections([])]])
    object.__setattr__(rows, "postprocess", lambda _: next(found))
    assert shown_detections(rows, 0)["boxes"] == [
        {"side": "reference", "name": "cup", "score": 0.8, "box": [0.0, 1.0, 2.0, 3.0]},
        {"side": "engine", "name": "cup", "score": 0.9, "box": [4.0, 5.0, 6.0, 7.0]},
    ]


def test_many_boxes():
    """Of a crowd those with the highest scores are shown."""
    rows = rows_of("detection", {"y": LOGITS}, {"y": LOGITS})
    scores = np.linspace(0.6, 0.9, 30)
    object.__setattr__(rows, "postprocess", lambda _: [detections(scores)])
    shown = [each for each in shown_detections(rows, 0)["boxes"] if each["side"] == "engine"]
    assert len(shown) == MOST_BOXES
    assert shown[0]["score"] == 0.9
