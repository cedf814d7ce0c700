"""One tensor of boxes and scores: letterboxed in, decoded and suppressed, and back again."""

import numpy as np
import pytest

from pytest_infer import ModelError, Yolo
from pytest_infer.models.photographs import batch, pictures

ANCHORS = np.array(
    [
        [100.0, 60, 40, 20, 0.9, 0.1],
        [102, 60, 40, 20, 0.8, 0.1],  # overlaps the first
        [100, 60, 40, 20, 0.1, 0.7],  # there too, and of another class
        [300, 200, 60, 80, 0.3, 0.6],
        [10, 10, 4, 4, 0.2, 0.1],  # below the threshold
    ]
)


def test_boxes_are_decoded_and_suppressed():
    """Centres and sizes become corners; what overlaps one of its class is suppressed and told."""
    (found,) = Yolo().postprocess({"y": ANCHORS.T[None]})
    assert found["boxes"].tolist() == [
        [80, 50, 120, 70],
        [80, 50, 120, 70],
        [270, 160, 330, 240],
    ]
    assert found["labels"].tolist() == [0, 1, 1]
    assert found["scores"].tolist() == [0.9, 0.7, 0.6]
    assert found["suppressed_boxes"].tolist() == [[82, 50, 122, 70], [270, 160, 330, 240]]
    assert found["suppressed_labels"].tolist() == [0, 0]
    assert found["suppressed_scores"].tolist() == [0.8, 0.3]


def test_objectness_is_a_factor():
    """(rows, anchors, 5 + classes): a score is the product of both."""
    values = np.insert(ANCHORS, 4, [1, 1, 0.5, 0.5, 1], axis=1)
    (found,) = Yolo(values_axis=2).postprocess({"y": values[None]})
    assert found["scores"].tolist() == [0.9, 0.35, 0.3]


@pytest.mark.parametrize("axis", [1, 2])
def test_what_follows_the_classes_is_left_out(axis):
    """Coefficients of masks are no scores."""
    values = np.concatenate([ANCHORS, np.full((5, 3), 0.99)], axis=1)
    output = values[None] if axis == 2 else values.T[None]
    found = Yolo(values_axis=axis, has_objectness=False, classes=2).postprocess({"y": output})
    assert found[0]["labels"].tolist() == [0, 1, 1]


def test_most_detections():
    """The best are kept, and the others are candidates still."""
    (found,) = Yolo(most=1).postprocess({"y": ANCHORS.T[None]})
    assert found["scores"].tolist() == [0.9]
    assert len(found["suppressed_scores"]) == 4


@pytest.mark.parametrize("shape", [(100, 200), (200, 100), (333, 501), (64, 64)])
def test_a_photograph_keeps_its_sides_ratio(shape):
    """It lies in the middle of grey, and boxes find their way back to it."""
    yolo = Yolo(96, 128)
    photograph = np.full((*shape, 3), 255, np.uint8)
    image = yolo.preprocess([photograph])["images"]
    assert (image.shape, image.dtype) == ((1, 3, 96, 128), np.float32)
    rows, columns = np.nonzero(image[0, 0] == 1)
    top, left, bottom, right = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
    assert (bottom - top == 96) or (right - left == 128)
    assert (right - left) / (bottom - top) == pytest.approx(shape[1] / shape[0], rel=0.02)
    assert abs(top - (96 - bottom)) <= 1
    assert abs(left - (128 - right)) <= 1
    outside = np.delete(image[0, 0], np.s_[top:bottom], axis=0)
    assert np.all(outside == np.float32(114 / 255))
    back = yolo.on_photograph(
        np.array([[left, top, right, bottom], [-9, -9, 999, 999]]), photograph
    )
    np.testing.assert_allclose(back, [[0, 0, shape[1], shape[0]]] * 2)


def test_real_photographs():
    """The bundled ones become a batch with values from 0 to 1."""
    images = Yolo(64, 96, input="x").preprocess(batch(pictures(), 3))["x"]
    assert images.shape == (3, 3, 64, 96)
    assert 0 <= images.min() < images.max() <= 1


@pytest.mark.parametrize(
    ("settings", "shape", "why"),
    [
        ({}, (1, 6), "the model's first output has the shape (1, 6), not three axes"),
        ({}, (1, 4, 7), "4 values of an anchor are no 4 and scores of classes"),
        ({"values_axis": 2}, (1, 7, 5), "5 values of an anchor are no 5 and scores of classes"),
        ({"classes": 9}, (1, 6, 7), "6 values of an anchor are no 4 and scores of classes"),
    ],
)
def test_outputs_that_are_none(settings, shape, why):
    """What is no tensor of boxes and scores is an error that says so."""
    with pytest.raises(ModelError) as caught:
        Yolo(**settings).postprocess({"y": np.zeros(shape)})
    assert caught.value.why == why


@pytest.mark.parametrize("settings", [{"values_axis": 0}, {"threshold": 2}, {"iou": -1}])
def test_settings_that_no_detector_has(settings):
    """They are refused where they are written."""
    with pytest.raises(ModelError, match="cannot use Yolo"):
        Yolo(**settings)
