"""The models of the matrix, before any of them is created."""

import subprocess
import sys

import numpy as np
import pytest

from pytest_infer.models.families.coco import labels as coco_labels
from pytest_infer.models.photographs import batch, pictures
from pytest_infer.models.registry import find

NAMES = ["detr_resnet50", "efficientnet_b0", "mobilenet_v2", "resnet50"]


def test_listing_the_models_imports_no_inference_library() -> None:
    """Not torch, torchvision, transformers or PIL, in a fresh interpreter."""
    code = (
        "import sys; from pytest_infer.models.registry import listed; print(sorted(listed()));"
        "heavy = {'torch', 'torchvision', 'transformers', 'skimage', 'PIL', 'safetensors'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run(  # noqa: S603 (our own interpreter and code)
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert found.stdout.splitlines() == [str(NAMES), "[]"]


@pytest.mark.parametrize("name", NAMES)
def test_feeds_have_the_names_shapes_and_types_of_the_spec(name: str) -> None:
    """Two photographs of different sizes become two rows."""
    model = find(name)
    feeds = model.preprocess(batch(pictures(), 2))
    assert {n: f.shape for n, f in feeds.items()} == model.spec.input_shapes(2)
    for feed in feeds.values():
        assert feed.dtype == np.float32
        assert 0.5 < feed.std() < 2.0


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_as_many_as_the_classes(name: str) -> None:
    """DETR's last logit, "no object", has no label."""
    model = find(name)
    classes = model.spec.outputs["logits"].shape[-1]
    assert len(model.labels()) == classes - (model.spec.task == "detection")


def test_coco_labels_are_those_of_detr() -> None:
    """Class 1 is a person, 17 a cat, 90 the last."""
    assert [coco_labels()[i] for i in (1, 17, 90)] == ["person", "cat", "toothbrush"]


def test_detections_are_told_in_pixels_of_the_input() -> None:
    """A box at the centre, half as wide and high as the input, of class 17; and no object."""
    logits = np.full((1, 100, 92), -10.0, dtype=np.float32)
    logits[..., 91] = 10.0
    logits[0, 5, 17] = 20.0
    boxes = np.full((1, 100, 4), 0.5, dtype=np.float32)
    (found,) = find("detr_resnet50").postprocess({"logits": logits, "pred_boxes": boxes})
    assert found["labels"].tolist() == [17]
    np.testing.assert_allclose(found["scores"], [1.0], rtol=1e-4)
    np.testing.assert_allclose(found["boxes"], [[266.5, 200.0, 799.5, 600.0]], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_counted(name: str) -> None:
    """What orders models by their size is the size of their weights."""
    model = find(name)
    network = model.create(pretrained=False)
    assert model.spec.parameters == sum(each.numel() for each in network.parameters())
