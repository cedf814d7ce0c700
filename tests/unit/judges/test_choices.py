"""Which score is the largest: what rounding explains of a change, by margin and by number."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pytest_infer.judges.choices import compare_choices, luck_of_counts

REFERENCE = np.array([[[5.0, 3, 1], [0, 4, 2]], [[1, 2, 9], [8, 0, 1]]])  # rows, places, scores


def compared(actual, eager=None, reference=REFERENCE, precision="fp32"):
    """Return the choices along the last axis."""
    return compare_choices(actual, reference, eager, axis=2, precision=precision)


def test_changes_are_found_with_their_margins():
    """A place whose largest score is another is told, with what the reference has there."""
    actual = REFERENCE.copy()
    actual[1, 0] = [3, 2, 1]
    found = compared(actual, REFERENCE)
    (change,) = [each for row in found.rows for each in row.changes()]
    assert (change.row, change.place, change.expected, change.got) == (1, (0,), 2, 0)
    assert change.margin == 8
    assert (found.changed, found.places, found.share, found.lead) == (1, 4, 0.25, 7)


def test_margin_is_derived_from_the_gaps_that_decide():
    """In fp32 16 times eager's largest error of a gap, and 8 roundoffs of the largest score."""
    eager = REFERENCE.copy()
    eager[0, 0, :2] += [-1e-6, 2e-6]  # the gap between the two best scores is off by 3e-6
    assert compared(REFERENCE, eager).margin == pytest.approx(16 * 3e-6 + 8 * 2**-24 * 9)


def test_few_gaps_that_are_exact_by_luck_are_not_believed():
    """Where the errors are in other scores, a gap counts as off by twice their root mean square."""
    eager = REFERENCE.copy()
    eager[:, :, :] += np.where(REFERENCE < 1.5, 1e-6, 0)
    usual = 2 * 1e-6 * np.sqrt(0.5)  # half the scores of the second row are off
    assert compared(REFERENCE, eager).margin == pytest.approx(16 * usual + 8 * 2**-24 * 9)


@pytest.mark.parametrize(("precision", "ceiling"), [("fp64", 1e-10), ("fp32", 1e-4)])
def test_margin_has_a_ceiling(precision, ceiling):
    """However far off eager is, both scores may be off by the precision's ceiling only."""
    floor = 8 * {"fp64": 2**-53, "fp32": 2**-24}[precision]
    found = compared(REFERENCE, REFERENCE[..., ::-1], precision=precision)
    assert found.margin == pytest.approx((2 * ceiling + floor) * 9)


@given(
    arrays(np.float64, (2, 3, 4), elements=st.floats(-10, 10)),
    arrays(np.float64, (2, 3, 4), elements=st.floats(-1e-4, 1e-4)),
)
def test_eager_passes_against_itself(reference, error):
    """No change of eager's own is ever beyond the margin that its error gives."""
    assume(np.max(np.abs(reference)) > 1)  # else the ceiling judges
    found = compared(reference + error, reference + error, reference, precision="bf16")
    assert all(each.margin <= found.margin for row in found.rows for each in row.changes())
    assert found.share_without_ties <= found.allowed_share


def maps(shift, seed=0, size=80):
    """Return the scores of two classes in a map whose near-ties lie everywhere."""
    scores = np.random.default_rng(seed).normal(0, 1, (1, 2, size, size))
    scores[:, 0] += shift
    return scores


def test_many_changes_that_are_near_ties_each_are_too_many():
    """A constant within the margin turns far more pixels than rounding does, and is seen."""
    reference, noise = maps(0), 0.02 * maps(0, 1)
    other = 0.02 * maps(0, 2)
    settings = {"axis": 1, "precision": "bf16"}
    clean = compare_choices(reference + other, reference, reference + noise, **settings)
    assert clean.changed > 20
    assert clean.share_without_ties <= clean.allowed_share
    biased = compare_choices(
        reference + maps(0.3) - maps(0), reference, reference + noise, **settings
    )
    worst = max(each.margin for row in biased.rows for each in row.changes())
    assert worst <= biased.margin
    assert biased.share_without_ties > biased.allowed_share


def test_what_eager_never_changes_is_judged_by_its_margin_alone():
    """Without a change of eager's there is no number to compare with: any may change."""
    assert compared(REFERENCE[..., ::-1], REFERENCE).allowed_share == np.inf


def test_ties_are_no_changes():
    """Where two scores are equal in fp64, which one is first says nothing."""
    reference = np.array([[[1.0, 1, 0], [0, 5, 2]]])
    actual = np.array([[[1.0, 1.1, 0], [0, 5, 2]]])
    found = compared(actual, reference, reference)
    assert (found.changed, found.share_without_ties) == (1, 0)


def test_rows_that_are_alike_count_once():
    """A batch that is filled up with a row once more says nothing more of rounding."""
    twice = np.concatenate([maps(0)] * 2)
    found = compare_choices(
        twice + 0.1 * maps(0, 1), twice, twice + 0.1 * maps(0, 2), axis=1, precision="bf16"
    )
    once = compare_choices(
        maps(0) + 0.1 * maps(0, 1), maps(0), maps(0) + 0.1 * maps(0, 2), axis=1, precision="bf16"
    )
    ratio = [each.allowed_share / each.eager_share for each in (found, once)]
    assert ratio[0] == pytest.approx(ratio[1])


def test_luck_of_counts():
    """Two counts of a hundred are within a factor of two; of one patch anything may be luck."""
    assert luck_of_counts(100, 100) == pytest.approx(np.exp(4.75 * np.sqrt(0.02)))
    assert luck_of_counts(1, 1) > 800
    draw = np.random.default_rng(0).poisson(50, (2, 1_000_000)).clip(1)
    assert np.mean(draw[0] / draw[1] > luck_of_counts(50, 50)) < 1e-5
