"""The judge of classes: a flipped class is seen, a near-tie is not called one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pytest_infer.judges.tolerance import Tolerance
from pytest_infer.judges.top_k import judge_top_k

REFERENCE = np.array([[9.0, 7, 5, 3, 1, 0, -1], [0, 1, 2, 3, 4, 5, 6]])


def swapped(row, first, second):
    """Return the reference's logits with two classes of a row exchanged."""
    logits = REFERENCE.copy()
    logits[row, [first, second]] = logits[row, [second, first]]
    return logits


def test_equal_logits_match():
    """The same classes in every row pass, and the agreement is complete."""
    verdict = judge_top_k(REFERENCE, REFERENCE, noise=1e-6, subject="mobilenet_v2-trt-fp16-b2")
    assert (verdict.status, verdict.code) == ("pass", "match")
    assert verdict.message == (
        "mobilenet_v2-trt-fp16-b2 names the classes of eager fp64: 2 rows, "
        "0 swaps forgiven within 2e-06"
    )
    assert verdict.figures == {"top_1_agreement": 1.0, "top_k_agreement": 1.0}


def test_one_flipped_class_is_seen():
    """One row's top-1 replaced by its runner-up fails, with both classes and all four logits."""
    verdict = judge_top_k(
        swapped(0, 0, 1), REFERENCE, noise=0.01, labels=("hot dog", "cat"), subject="resnet50"
    )
    assert (verdict.status, verdict.code) == ("fail", "wrong-top-1")
    assert verdict.message == (
        "resnet50: top-1 differs from eager fp64 in 1 row\n"
        "  why:  row 0: top-1 has cat (1) instead of hot dog (0); its logits there are "
        "9 and 7, the reference's 7 and 9, 2 apart\n"
        "        a swap is forgiven within 0.02\n"
        "  mend: find what loses precision, or accept it: @pytest.mark.tolerance(top_k=2.0)"
    )
    assert verdict.figures == {"top_1_agreement": 0.5, "top_k_agreement": 1.0}


def test_a_changed_set_is_seen():
    """A class that enters the top-5 from outside fails as top-k, though top-1 is right."""
    verdict = judge_top_k(swapped(1, 2, 1), REFERENCE, noise=0.01)
    assert verdict.code == "wrong-top-k"
    assert verdict.message == (
        "engine: top-5 differs from eager fp64 in 1 row\n"
        "  why:  row 1: top-5 has class 1 instead of class 2; its logits there are 2 and 1, "
        "the reference's 1 and 2, 1 apart\n"
        "        a swap is forgiven within 0.02\n"
        "  mend: find what loses precision, or accept it: @pytest.mark.tolerance(top_k=1.0)"
    )


def test_order_within_the_set_is_free():
    """Ranks 2 and 3 may change places: only the set counts."""
    assert judge_top_k(swapped(0, 1, 2), REFERENCE, noise=1e-6).code == "match"


def test_a_near_tie_is_forgiven_within_twice_the_noise():
    """Two logits that rounding can exchange may be exchanged; nearer than that they may not."""
    flipped = swapped(0, 0, 1)
    assert judge_top_k(flipped, REFERENCE, noise=1.0).code == "match"
    assert "1 swaps forgiven within 2" in judge_top_k(flipped, REFERENCE, noise=1.0).message
    assert judge_top_k(flipped, REFERENCE, noise=0.99).code == "wrong-top-1"


def test_a_tolerance_replaces_the_noise():
    """The margin that the message tells to paste makes the swap pass, and a smaller one not."""
    flipped = swapped(0, 0, 1)
    assert judge_top_k(flipped, REFERENCE, noise=0, tolerance=Tolerance(top_k=2)).code == "match"
    assert judge_top_k(flipped, REFERENCE, noise=9, tolerance=Tolerance(top_k=0.1)).code == (
        "wrong-top-1"
    )


@given(
    arrays(np.float64, (3, 7), elements=st.floats(-10, 10)),
    arrays(np.float64, (3, 7), elements=st.floats(-1, 1)),
)
def test_noise_never_fails_its_own_source(reference, error):
    """Logits that are off by at most the noise never fail: eager passes against itself."""
    noise = float(np.max(np.abs(error)))
    verdict = judge_top_k(reference + error, reference, noise=noise * 1.0001 + 1e-9)
    assert verdict.code in {"match", "vacuous"}


@pytest.mark.parametrize(
    ("reference", "noise", "why"),
    [
        (REFERENCE, 5.0, "every swap would be forgiven: all logits of a row are within 10"),
        (REFERENCE, float("nan"), "the margin that forgives a swap is nan"),
        (REFERENCE, -1.0, "the margin that forgives a swap is -2.0"),
        (np.ones((2, 1)), 0.0, "logits of shape (2, 1) are not rows of at least two classes"),
        (np.ones(5), 0.0, "logits of shape (5,) are not rows of at least two classes"),
    ],
)
def test_what_proves_nothing_fails(reference, noise, why):
    """Noise that forgives everything, and logits that are none, are vacuous."""
    verdict = judge_top_k(reference, reference, noise=noise)
    assert (verdict.status, verdict.code) == ("fail", "vacuous")
    assert verdict.message == (
        "engine: the comparison of classes would prove nothing\n"
        f"  why:  {why}\n"
        "  mend: look at the model's weights and inputs (--infer-weights, --infer-images)"
    )


def test_faults_of_the_array_are_verdicts():
    """NaN, another shape and an empty or constant reference have their own codes."""
    nan = REFERENCE.copy()
    nan[1, 2] = np.nan
    assert judge_top_k(nan, REFERENCE, noise=0).code == "not-finite"
    assert judge_top_k(REFERENCE[:1], REFERENCE, noise=0).code == "wrong-shape"
    assert judge_top_k(REFERENCE, nan, noise=0).code == "vacuous"
    assert judge_top_k(REFERENCE[:0], REFERENCE[:0], noise=0).code == "vacuous"


def test_two_classes_still_have_a_top_1():
    """A net of two classes (MobileNetV2 of the article) is judged by its top-1."""
    reference = np.array([[1.0, 2.0]])
    assert judge_top_k(reference, reference, noise=0).code == "match"
    assert judge_top_k(reference[:, ::-1], reference, noise=0).code == "wrong-top-1"


def test_of_several_swaps_the_widest_counts():
    """Where two classes leave the set, the pair furthest apart must be a near-tie."""
    reference = np.array([[9.0, 8, 7, 6, 5, 4.9, 4]])
    actual = np.array([[9.0, 8, 7, 3, 2, 4.9, 4]])
    verdict = judge_top_k(actual, reference, noise=0.6)
    assert verdict.code == "wrong-top-k"
    assert "top-5 has class 6 instead of class 3" in verdict.message
    assert verdict.message.endswith("@pytest.mark.tolerance(top_k=2.0)")
