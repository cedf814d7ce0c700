"""The judge of embeddings: planted errors of known size, and rows that prove nothing."""

import numpy as np
import pytest

from pytest_infer.judges.tasks.embeddings import embeddings
from tests.unit.judges.tasks.rows_of import rows_of

REFERENCE = np.random.default_rng(0).normal(0, 1, (8, 64)) + 0.5
NOISE = {"fp32": 1e-7, "fp16": 1e-3, "int8": 2e-2}


def noise(precision, seed, shape=REFERENCE.shape):
    """Return errors of a precision's size."""
    return NOISE[precision] * np.random.default_rng(seed).normal(0, 1, shape)


def judge(actual, precision="fp32", reference=REFERENCE, **settings):
    """Judge beside eager's noise."""
    eager = reference + noise(precision, 1, reference.shape)
    return embeddings(
        rows_of("embeddings", actual, reference, eager, precision=precision, **settings)
    )


def turned(row, angle):
    """Return the reference with one row turned by ``angle`` in radians, its length kept."""
    actual = REFERENCE.copy()
    own = actual[row]
    across = np.random.default_rng(5).normal(0, 1, own.shape)
    across -= own * (across @ own) / (own @ own)
    across *= np.linalg.norm(own) / np.linalg.norm(across)
    actual[row] = np.cos(angle) * own + np.sin(angle) * across
    return actual


@pytest.mark.parametrize("precision", NOISE)
@pytest.mark.parametrize("seed", range(2, 12))
def test_other_noise_of_eager_s_size_passes(precision, seed):
    """Angles and ranks that rounding explains are forgiven."""
    verdict = judge(REFERENCE + noise(precision, seed), precision)
    assert (verdict.status, verdict.code) == ("pass", "match"), verdict.message


def test_the_angle_is_that_of_the_planted_turn():
    """A row turned by a hundredth fails by its angle; the length of a row says nothing."""
    verdict = judge(turned(3, 0.01))
    assert (verdict.status, verdict.code) == ("fail", "wrong-direction")
    assert verdict.figures["angle_rad"] == pytest.approx(0.01)
    assert "row 3: cosine 0.99995" in verdict.message
    assert judge(2 * REFERENCE).code == "match"


@pytest.mark.parametrize(("angle", "code"), [(3e-7, "match"), (3e-6, "wrong-direction")])
def test_angle_is_held_to_eager_s_own(angle, code):
    """Six times eager's angle, some 1e-7 here, is allowed in fp32."""
    assert judge(turned(2, angle)).code == code


def test_a_tolerance_of_the_cosine_replaces_what_is_derived():
    """The cosine of the message passes, and a tighter one does not."""
    actual = turned(3, 0.01)
    assert judge(actual).message.endswith("@pytest.mark.tolerance(cosine=0.9999)")
    assert judge(actual, cosine=0.9999, similarity=1.0).code == "match"
    assert judge(actual, cosine=0.99999, similarity=1.0).code == "wrong-direction"


def test_two_rows_swapped_are_seen():
    """Each row points where another should."""
    assert judge(REFERENCE[[1, 0, *range(2, 8)]], "int8").code == "wrong-direction"


def test_a_changed_rank_is_seen():
    """Where every row may turn, the order of the others still counts."""
    reference = np.eye(8)[:3] + np.array([[0, 0.5, 0.3], [0] * 3, [0] * 3]) @ np.eye(8)[:3]
    actual = reference.copy()
    actual[0, 1:3] = 0.3, 0.5
    rows = rows_of("embeddings", actual, reference, cosine=0.9)
    verdict = embeddings(rows)
    assert (verdict.status, verdict.code) == ("fail", "wrong-ranking")
    assert "to row 0, row 2 is nearer than row 1, which the reference has" in verdict.message
    assert "1 changes of places; one is forgiven within" in verdict.message
    margin = 0.2 / np.linalg.norm(reference[0])
    assert embeddings(
        rows_of("embeddings", actual, reference, cosine=0.9, similarity=margin * 1.01)
    ).code == ("match")


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        (np.where(np.arange(8)[:, None] == 3, 0, REFERENCE), "row 3 is zero, and has no direction"),
        (np.tile(REFERENCE[:1], (8, 1)), "all rows are within"),
        (REFERENCE[:, :1], "rows of one value have no direction"),
    ],
)
def test_rows_that_prove_nothing_are_vacuous(reference, why):
    """Zeros, and one direction for all rows."""
    verdict = embeddings(rows_of("embeddings", reference, reference))
    assert (verdict.status, verdict.code) == ("fail", "vacuous")
    assert why in verdict.message


def test_a_zero_row_of_the_engine_fails():
    """What points nowhere is far off."""
    actual = REFERENCE.copy()
    actual[2] = 0
    assert judge(actual, "int8").code == "wrong-direction"


def test_one_row_has_no_ranking():
    """Its direction is judged, and the message says that nothing was ranked."""
    assert "too few to be ranked" in judge(REFERENCE[:1], reference=REFERENCE[:1]).message
    assert judge(-REFERENCE[:1], reference=REFERENCE[:1]).code == "wrong-direction"


def test_what_is_no_embedding():
    """Another shape than the task compares is named, with the mend."""
    verdict = embeddings(rows_of("embeddings", REFERENCE[None], REFERENCE[None]))
    assert (verdict.status, verdict.code) == ("fail", "wrong-form")
    assert verdict.message.endswith(
        ": the first output is not what the task embeddings compares\n"
        "  why:  its shape is (1, 8, 64), and not (rows, values)\n"
        "  mend: choose the task= that the model has, or name first in outputs= what the task "
        "means; leave task= out to compare the outputs alone"
    )
