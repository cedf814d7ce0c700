"""The judge of masks: planted errors of known size, and masks that prove nothing."""

import numpy as np
import pytest

from pytest_infer.judges.tasks.segmentation import segmentation
from tests.unit.judges.tasks.rows_of import rows_of

ROWS, CLASSES, SIDE = 3, 4, 32
DRAW = np.random.default_rng(0)
Y, X = np.mgrid[0:SIDE, 0:SIDE] / SIDE


def blobs():
    """Return logits of soft blobs, one centre a class, another in each row."""
    centres = DRAW.uniform(0.1, 0.9, (ROWS, CLASSES, 2, 1, 1))
    return -8 * ((Y - centres[:, :, 0]) ** 2 + (X - centres[:, :, 1]) ** 2)


REFERENCE = blobs()
NOISE = {"fp32": 1e-6, "fp16": 1e-3, "int8": 5e-2}


def noise(precision, seed):
    """Return errors of a precision's size."""
    size = NOISE[precision]
    return size * np.random.default_rng(seed).normal(0, 1, REFERENCE.shape)


def judge(actual, precision="fp32", reference=REFERENCE, **tolerance):
    """Judge beside eager's noise."""
    eager = reference + (noise(precision, 1) if reference.shape == REFERENCE.shape else 0)
    rows = rows_of("segmentation", actual, reference, eager, precision=precision, **tolerance)
    return segmentation(rows)


@pytest.mark.parametrize("precision", NOISE)
@pytest.mark.parametrize("seed", range(2, 7))
def test_other_noise_of_eager_s_size_passes(precision, seed):
    """What rounding changes is forgiven, in every precision."""
    verdict = judge(REFERENCE + noise(precision, seed), precision)
    assert (verdict.status, verdict.code) == ("pass", "match"), verdict.message
    assert verdict.figures["worst_ratio"] < 1


def test_figures():
    """The mIoU and the share of changed pixels are those of a count by hand."""
    actual = REFERENCE + noise("int8", 9)
    verdict = judge(actual, "int8")
    got, expected = actual.argmax(1), REFERENCE.argmax(1)
    ious = [
        np.sum((got == one) & (expected == one)) / np.sum((got == one) | (expected == one))
        for one in np.unique(expected)
    ]
    assert verdict.figures["miou"] == pytest.approx(np.mean(ious))
    assert verdict.figures["changed_pixels"] == pytest.approx(np.mean(got != expected))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_mask_shifted_by_one_pixel_is_seen(precision):
    """The classes along every edge change, by more than rounding."""
    verdict = judge(np.roll(REFERENCE, 1, axis=3), precision)
    assert (verdict.status, verdict.code) == ("fail", "wrong-mask")


def test_two_classes_swapped_are_seen():
    """All pixels of both classes change."""
    verdict = judge(REFERENCE[:, [1, 0, 2, 3]], "int8")
    assert verdict.code == "wrong-mask"
    assert verdict.figures["miou"] < 0.7


def test_one_pixel_is_named():
    """One wrong pixel fails with its row, its place, both classes and what would forgive it."""
    actual = REFERENCE.copy()
    best, second = np.argsort(-REFERENCE[1, :, 5, 7])[:2]
    margin = REFERENCE[1, best, 5, 7] - REFERENCE[1, second, 5, 7]
    actual[1, second, 5, 7] += 2 * margin
    verdict = segmentation(
        rows_of("segmentation", actual, REFERENCE, labels=("sky", "road", "car", "dog"))
    )
    names = ("sky", "road", "car", "dog")
    assert f"the classes of 1 of {ROWS * SIDE**2} pixels differ from eager fp64" in verdict.message
    assert (
        f"row 1: pixel [5, 7] is {names[second]} ({second}) instead of {names[best]} ({best}), "
        f"{margin:.3g} apart in the reference"
    ) in verdict.message
    assert "1 pixel is further apart than" in verdict.message


def test_a_near_tie_is_forgiven_within_the_noise():
    """The verdict flips where the margin exceeds what eager's error explains."""
    actual = REFERENCE.copy()
    best, second = np.argsort(-REFERENCE[0, :, 9, 9])[:2]
    reference = REFERENCE.copy()
    for margin, code in ((1e-5, "match"), (1e-3, "wrong-mask")):
        reference[0, second, 9, 9] = reference[0, best, 9, 9] - margin
        actual = reference.copy()
        actual[0, second, 9, 9] += 2 * margin
        assert judge(actual, reference=reference).code == code


def test_a_bias_within_the_margin_is_seen_by_its_number():
    """A class that gains a little everywhere takes more pixels than rounding does."""
    side = 128
    random = np.random.default_rng(3)
    reference = random.normal(0, 1, (1, 4, side, side))
    eager = reference + 0.02 * random.normal(0, 1, reference.shape)
    biased = reference + np.array([0.4, 0, 0, 0])[None, :, None, None]
    verdict = segmentation(rows_of("segmentation", biased, reference, eager, precision="bf16"))
    assert verdict.code == "wrong-mask"
    assert "each change is rounding, and together they are not" in verdict.message


def test_tolerances_replace_what_is_derived():
    """The bounds of the message pass; tighter ones do not."""
    actual = REFERENCE[:, [1, 0, 2, 3]]
    figures = judge(actual).figures
    loose = {"changed_pixels": figures["changed_pixels"] + 0.01, "miou": figures["miou"] - 0.01}
    assert judge(actual, **loose).code == "match"
    assert judge(actual, **loose | {"miou": figures["miou"] + 0.01}).code == "wrong-mask"
    tight = judge(actual, changed_pixels=figures["changed_pixels"] - 0.01)
    assert f"changed_pixels {figures['changed_pixels']:.4g} > " in tight.message
    pasted = judge(actual).message.rpartition("tolerance(")[2].removesuffix(")")
    bounds = dict(each.split("=") for each in pasted.split(", "))
    assert judge(actual, **{name: float(value) for name, value in bounds.items()}).code == "match"


def test_one_channel_is_a_class_against_the_background():
    """Above 0 a pixel is of class 1."""
    one = REFERENCE[:, :1] - REFERENCE[:, 1:2]
    assert segmentation(rows_of("segmentation", one, one)).code == "match"
    assert segmentation(rows_of("segmentation", -one, one)).code == "wrong-mask"


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        (np.stack([X + 9, X], 0)[None], "the reference has one class, 0, in every pixel"),
        (1 + X[None, None], "the reference has one class, 1, in every pixel"),
        (
            np.stack([X, X[::-1]])[None] * 1e-9 + 5 * np.ones((1, 2, SIDE, SIDE)),
            "the reference has one class, 0, in every pixel",
        ),
    ],
)
def test_masks_that_prove_nothing_are_vacuous(reference, why):
    """One class in every pixel."""
    verdict = segmentation(rows_of("segmentation", reference, reference))
    assert (verdict.status, verdict.code) == ("fail", "vacuous")
    assert why in verdict.message


def test_a_mask_of_near_ties_alone_is_vacuous():
    """Where every class is within the margin of another, every mask would pass."""
    reference = 5 + 1e-9 * REFERENCE
    verdict = segmentation(rows_of("segmentation", reference, reference))
    assert verdict.code == "vacuous"
    assert "every change would be forgiven: no class leads by more than" in verdict.message


def test_what_is_no_mask():
    """Another shape than the task compares is named, with the mend."""
    verdict = segmentation(rows_of("segmentation", np.ones((2, 3)), np.ones((2, 3))))
    assert (verdict.status, verdict.code) == ("fail", "wrong-form")
    assert verdict.message.endswith(
        ": the first output is not what the task segmentation compares\n"
        "  why:  its shape is (2, 3), and not (rows, classes, height, width)\n"
        "  mend: choose the task= that the model has, or name first in outputs= what the task "
        "means; leave task= out to compare the outputs alone"
    )
