"""What the classifiers share."""

import numpy as np

from pytest_infer.models.families.imagenet import labels, postprocess, softmax


def test_only_classes_above_half_are_told() -> None:
    """One row is sure of class 2; the other is sure of nothing."""
    sure, unsure = postprocess({"logits": np.array([[0.0, 1.0, 9.0], [1.0, 1.0, 1.0]])})
    assert sure["labels"].tolist() == [2]
    np.testing.assert_allclose(sure["scores"], [np.exp(9) / (1 + np.e + np.exp(9))])
    assert unsure["labels"].tolist() == []
    assert unsure["scores"].tolist() == []


def test_softmax_does_not_overflow() -> None:
    """Large fp16 logits are taken in fp64."""
    scores = softmax(np.array([[60000.0, 0.0]], dtype=np.float16))
    assert scores.tolist() == [[1.0, 0.0]]


def test_labels_are_imagenet_s() -> None:
    """Class 934 is the hot dog of the article."""
    assert len(labels("resnet50")) == 1000
    assert labels("resnet50")[934] == "hotdog"
