"""The judge of next tokens: planted errors of known size, and texts that prove nothing."""

import numpy as np
import pytest

from pytest_infer.judges.tasks.text_generation import text_generation
from tests.unit.judges.tasks.rows_of import rows_of

REFERENCE = 3 * np.random.default_rng(0).normal(0, 1, (4, 16, 50))
NOISE = {"fp32": 1e-6, "fp16": 3e-3, "int8": 0.1}


def noise(precision, seed):
    """Return errors of a precision's size."""
    return NOISE[precision] * np.random.default_rng(seed).normal(0, 1, REFERENCE.shape)


def judge(actual, precision="fp32", reference=REFERENCE, **settings):
    """Judge beside eager's noise."""
    eager = reference + noise(precision, 1)
    return text_generation(
        rows_of("text_generation", actual, reference, eager, precision=precision, **settings)
    )


@pytest.mark.parametrize("precision", NOISE)
@pytest.mark.parametrize("seed", range(2, 12))
def test_other_noise_of_eager_s_size_passes(precision, seed):
    """Near-ties that rounding exchanges are forgiven."""
    verdict = judge(REFERENCE + noise(precision, seed), precision)
    assert (verdict.status, verdict.code) == ("pass", "match"), verdict.message


def test_one_token_s_scaled_logit_is_seen():
    """A token that is scaled by a half more becomes the next one where it should not."""
    actual = REFERENCE.copy()
    actual[..., 7] *= 1.5
    verdict = judge(actual)
    assert (verdict.status, verdict.code) == ("fail", "wrong-token")
    wrong = np.sum(actual.argmax(2) != REFERENCE.argmax(2))
    assert verdict.figures["next_token_agreement"] == pytest.approx(1 - wrong / 64)


def test_a_position_is_named():
    """Row, position, both tokens and the margin are told."""
    actual = REFERENCE.copy()
    best, second = np.argsort(-REFERENCE[2, 5])[:2]
    actual[2, 5, [best, second]] = actual[2, 5, [second, best]]
    verdict = judge(actual)
    margin = REFERENCE[2, 5, best] - REFERENCE[2, 5, second]
    assert verdict.message.startswith(
        "toy: the next token differs from eager fp64 at 1 of 64 positions\n"
        f"  why:  row 2: position [5] is {second} instead of {best}, {margin:.3g} apart in the "
        "reference\n        1 position is further apart than"
    )
    assert verdict.message.endswith("@pytest.mark.tolerance(changed_tokens=0.016)")
    assert judge(actual, changed_tokens=0.016).code == "match"
    assert judge(actual, changed_tokens=0.015).code == "wrong-token"


def test_positions_off_by_one_are_seen():
    """Logits of the position before, which every cache of keys can give."""
    assert judge(np.roll(REFERENCE, 1, axis=1), "int8").code == "wrong-token"


@pytest.mark.parametrize(("margin", "code"), [(5e-6, "match"), (1e-3, "wrong-token")])
def test_a_near_tie_is_forgiven_within_the_noise(margin, code):
    """The verdict flips where the margin exceeds what eager's error explains."""
    reference = REFERENCE.copy()
    best, second = np.argsort(-reference[0, 0])[:2]
    reference[0, 0, second] = reference[0, 0, best] - margin
    actual = reference.copy()
    actual[0, 0, second] += 2 * margin
    assert judge(actual, reference=reference).code == code


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        (np.tile(np.arange(5.0), (2, 3, 1)), "the reference has one token, 4, at every position"),
        (5 + 1e-9 * REFERENCE, "every change would be forgiven: no token leads by more than"),
    ],
)
def test_texts_that_prove_nothing_are_vacuous(reference, why):
    """One token everywhere, and near-ties alone."""
    verdict = text_generation(rows_of("text_generation", reference, reference))
    assert (verdict.status, verdict.code) == ("fail", "vacuous")
    assert why in verdict.message


def test_what_is_no_text():
    """Another shape than the task compares is named, with the mend."""
    verdict = text_generation(rows_of("text_generation", REFERENCE[:, 0], REFERENCE[:, 0]))
    assert (verdict.status, verdict.code) == ("fail", "wrong-form")
    assert verdict.message.endswith(
        ": the first output is not what the task text_generation compares\n"
        "  why:  its shape is (4, 50), and not (rows, positions, tokens)\n"
        "  mend: choose the task= that the model has, or name first in outputs= what the task "
        "means; leave task= out to compare the outputs alone"
    )
