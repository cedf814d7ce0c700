"""The judge of named outputs: planted errors of known size, and what is said of them."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_infer.judges.metrics import metrics
from pytest_infer.judges.parity import judge_outputs, noise_floor
from pytest_infer.judges.tolerance import Tolerance

REFERENCE = {"logits": np.linspace(-3, 5, 20).reshape(2, 10)}
NOISE = np.where(np.arange(20).reshape(2, 10) % 2, 1e-6, -1e-6)
EAGER = {"logits": REFERENCE["logits"] + NOISE}
SUBJECT = "resnet50-ort-fp32-b1"


def judge(logits, **settings):
    """Judge these logits as an fp32 engine's."""
    settings = {"precision": "fp32", "subject": SUBJECT} | settings
    return judge_outputs({"logits": logits}, REFERENCE, EAGER, **settings)


def planted(index, value):
    """Return eager's logits with one element replaced."""
    logits = EAGER["logits"].copy()
    logits[index] = value
    return logits


def test_eager_matches_itself():
    """An engine with eager's own error passes, at less than a sixteenth of the tolerance."""
    verdict = judge(EAGER["logits"])
    assert (verdict.status, verdict.code) == ("pass", "match")
    assert verdict.message == (
        f"{SUBJECT} matches eager fp64: worst is 'logits' relative_l2 3.81e-07, "
        "0.06 x the derived tolerance"
    )
    assert verdict.figures["max_abs"] == pytest.approx(1e-6)
    noise = verdict.figures["relative_l2"]
    assert verdict.figures["worst_ratio"] == pytest.approx(noise / (16 * noise + 4 * 2**-24))
    assert set(verdict.figures) == {*metrics(), "worst_ratio"}


def test_a_scale_of_one_percent_is_seen():
    """A planted scale of 1.01, at which the cosine is 1, fails with element and tolerance."""
    verdict = judge(REFERENCE["logits"] * 1.01)
    assert (verdict.status, verdict.code) == ("fail", "diverged")
    assert verdict.message == (
        f"{SUBJECT}: 'logits' diverged from eager fp64\n"
        "  why:  'logits' max_abs 0.05 > 1.71921e-05 (2.91e+03 x): the derived tolerance; "
        "the noise floor is 1e-06 (5e+04 x)\n"
        "        'logits' relative_l2 0.01 > 6.33184e-06 (1.58e+03 x): the derived tolerance; "
        "the noise floor is 3.81e-07 (2.63e+04 x)\n"
        "        worst element logits[1, 9]: 5.05 instead of 5\n"
        "  mend: find what loses precision, or accept it: "
        "@pytest.mark.tolerance(max_abs=0.05, relative_l2=0.011)"
    )


def bf16(scale, rows, copies=1):
    """Judge a scale in bf16, where eager has an error of one per cent in each row."""
    draw = np.random.default_rng(0)
    reference = draw.standard_normal((rows, 1000))
    eager, engine = (reference + 0.01 * draw.standard_normal((rows, 1000)) for _ in range(2))
    parts = (np.tile(each, (copies, 1)) for each in (engine * scale, reference, eager))
    engine, reference, eager = ({"a": each} for each in parts)
    return judge_outputs(engine, reference, eager, precision="bf16")


def test_a_scale_within_the_noise_is_seen_over_many_rows():
    """In bf16 a scale of 1.02 is within the noise of one row, and beyond that of 16."""
    assert bf16(1.0, 16).code == bf16(1.02, 1).code == "match"
    verdict = bf16(1.02, 16)
    assert verdict.code == "diverged"
    assert re.search(
        r"why:  'a' gain 0.0[12]\d+ > 0.00\d+ \(\S+ x\): the derived tolerance; the noise floor is "
        r"\S+ \(\S+ x\)\n        worst element a\[\d+, \d+\]: .*\n"
        r"  mend: find what loses precision, or accept it: @pytest.mark.tolerance\(gain=0.0\d+\)$",
        verdict.message,
    )


def test_copies_of_a_row_say_nothing_new_of_the_scale():
    """A row that is there sixteen times is rounded sixteen times alike: nothing cancels."""
    assert bf16(1.02, 1, copies=16).code == bf16(1.02, 1).code == "match"
    assert bf16(1.02, 16, copies=2).code == "diverged"


def test_one_nan_is_seen():
    """A single NaN is reported with its index and the value that should be there."""
    verdict = judge(planted((1, 3), np.nan))
    assert (verdict.status, verdict.code) == ("fail", "not-finite")
    assert verdict.message == (
        f"{SUBJECT}: output 'logits' is not finite\n"
        "  why:  1 of 20 elements; the first is [1, 3]: nan instead of 2.47368421\n"
        "  mend: look for an overflow (fp16 ends at 65504) or a division by zero; "
        "no tolerance forgives it"
    )


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_not_finite(value):
    """Infinity is no better than NaN, and no tolerance forgives it."""
    assert judge(planted((0, 0), value), tolerance=Tolerance(max_abs=1e300)).code == "not-finite"


def test_one_wrong_element_is_seen():
    """One element off by a thousandth fails, though the mean hides it."""
    verdict = judge(planted((0, 4), REFERENCE["logits"][0, 4] + 1e-3))
    assert verdict.code == "diverged"
    assert "worst element logits[0, 4]: -1.31478947 instead of -1.31578947" in verdict.message


def test_tf32_never_passes_for_fp32():
    """Where eager itself has TF32's error, the ceiling judges, and says so."""
    eager = {"logits": REFERENCE["logits"] * 1.001}
    verdict = judge_outputs(eager, REFERENCE, eager, precision="fp32")
    assert verdict.code == "diverged"
    assert "relative_l2 0.001 > 0.0001 (10 x): the ceiling of fp32" in verdict.message
    assert judge_outputs(eager, REFERENCE, eager, precision="tf32").code == "match"


@pytest.mark.parametrize("precision", ["fp64", "int8"])
def test_without_noise_to_measure_the_ceiling_judges(precision):
    """In fp64 eager is the reference, in int8 there is none: the message says no noise floor."""
    verdict = judge_outputs(
        {"logits": REFERENCE["logits"] * 2}, REFERENCE, None, precision=precision
    )
    assert verdict.code == "diverged"
    assert f"the ceiling of {precision}; there is no noise floor" in verdict.message


def test_a_tolerance_replaces_the_bounds_it_names():
    """A loose relative L2 leaves the derived max abs in force; both set, the engine passes."""
    scaled = REFERENCE["logits"] * 1.01
    assert judge(scaled, tolerance=Tolerance(relative_l2=0.02)).code == "diverged"
    assert judge(scaled, tolerance=Tolerance(relative_l2=0.02, max_abs=0.06)).code == "match"


def test_a_tolerance_adds_bounds_that_are_not_derived():
    """MAE and cosine judge once they are set, and are reported as set."""
    verdict = judge(EAGER["logits"], tolerance=Tolerance(mae=1e-7))
    assert verdict.code == "diverged"
    assert verdict.message == (
        f"{SUBJECT}: 'logits' diverged from eager fp64\n"
        "  why:  'logits' mae 1e-06 > 1e-07 (10 x): the tolerance set; "
        "the noise floor is 1e-06 (1 x)\n"
        "        worst element logits[0, 0]: -3.000001 instead of -3\n"
        "  mend: find what loses precision, or accept it: @pytest.mark.tolerance(mae=1.1e-06)"
    )
    assert judge(-EAGER["logits"], tolerance=Tolerance(cosine=0.5)).code == "diverged"


@settings(max_examples=50)
@given(st.floats(-2, 2), st.integers(0, 19), st.floats(-10, 10), st.booleans())
def test_the_pasted_tolerance_would_have_passed(scale, index, error, with_cosine):
    """Whatever the error, the mark in the message makes the same outputs pass."""
    logits = REFERENCE["logits"] * scale
    logits.flat[index] += error
    given_tolerance = Tolerance(cosine=0.99) if with_cosine else None
    verdict = judge(logits, tolerance=given_tolerance)
    if verdict.code == "diverged":
        pasted = re.findall(r"(\w+)=([-+.e\d]+)", verdict.message.split("tolerance(")[1])
        again = Tolerance(**{name: float(value) for name, value in pasted})
        assert judge(logits, tolerance=again).code == "match"


def test_several_outputs_share_the_mark():
    """The tolerance to paste covers the outputs that were well, too."""
    reference = {"a": np.array([1.0, 2]), "b": np.array([1000.0, 2000])}
    actual = {"a": np.array([1.0, 2.1]), "b": np.array([1000.0, 2000.001])}
    eager = {"a": np.array([1.0, 2.0001]), "b": np.array([1000.0, 2000.01])}
    verdict = judge_outputs(actual, reference, eager, precision="fp16")
    assert "'a' diverged" in verdict.message
    assert "max_abs=0.11" in verdict.message
    assert verdict.figures["max_abs"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("actual", "code", "message"),
    [
        (
            {},
            "missing-output",
            (
                "engine: output 'logits' is missing\n"
                "  why:  the engine has none; the reference has logits\n"
                "  mend: export and build the model again with the outputs that its spec names"
            ),
        ),
        (
            {"logits": EAGER["logits"], "more": np.ones(1)},
            "extra-output",
            (
                "engine: output 'more' is unexpected\n"
                "  why:  the engine has logits, more; the reference has logits\n"
                "  mend: export and build the model again with the outputs that its spec names"
            ),
        ),
        (
            {"logits": EAGER["logits"][:1]},
            "wrong-shape",
            (
                "engine: output 'logits' has the wrong shape\n"
                "  why:  its shape is (1, 10), the reference's is (2, 10)\n"
                "  mend: check the exported graph's dynamic dimensions and the engine's profile"
            ),
        ),
        (
            {"logits": EAGER["logits"].astype(np.int64)},
            "wrong-dtype",
            (
                "engine: output 'logits' has the wrong kind of dtype\n"
                "  why:  its dtype is int64, the reference's is float64\n"
                "  mend: let the engine return the dtype that the model's spec names"
            ),
        ),
    ],
)
def test_malformed_outputs_are_verdicts(actual, code, message):
    """Names, shapes and dtypes that are wrong are failures, told in full."""
    verdict = judge_outputs(actual, REFERENCE, EAGER, precision="fp32")
    assert (verdict.status, verdict.code, verdict.message) == ("fail", code, message)


@pytest.mark.parametrize(
    ("values", "flaw"),
    [
        (np.ones((0, 10)), "is empty"),
        (np.zeros((2, 10)), "is all zero"),
        (np.full((2, 10), 7.0), "is constant (7)"),
        (np.array([1.0, np.nan]), "is not finite"),
        (np.array([1e-40, 2e-40]), "has only denormal values (the largest is 2e-40)"),
    ],
)
def test_a_reference_that_proves_nothing_fails(values, flaw):
    """An engine that equals a worthless reference does not pass."""
    outputs = {"logits": values}
    verdict = judge_outputs(outputs, outputs, outputs, precision="fp32")
    assert (verdict.status, verdict.code) == ("fail", "vacuous")
    assert verdict.message == (
        "engine: the comparison would prove nothing\n"
        f"  why:  the reference's output 'logits' {flaw}\n"
        "  mend: look at the model's weights and inputs (--infer-weights, --infer-images)"
    )


def test_no_outputs_at_all_prove_nothing():
    """A reference without outputs is vacuous."""
    assert judge_outputs({}, {}, {}, precision="fp32").code == "vacuous"


def test_denormal_depends_on_the_precision():
    """What is denormal in fp16 is a fine reference in fp32."""
    outputs = {"logits": np.array([1e-5, 2e-5])}
    assert judge_outputs(outputs, outputs, outputs, precision="fp16").code == "vacuous"
    assert judge_outputs(outputs, outputs, outputs, precision="fp32").code == "match"


def test_integers_must_be_equal():
    """One flipped label fails, no tolerance is offered, and none that is set applies."""
    reference = {"labels": np.array([3, 5]), "score": np.array([0.25, 0.5])}
    actual = {**reference, "labels": np.array([3, 4])}
    verdict = judge_outputs(
        actual, reference, reference, precision="fp32", tolerance=Tolerance(max_abs=9)
    )
    assert verdict.message == (
        "engine: 'labels' diverged from eager fp64\n"
        "  why:  'labels' max_abs 1 > 0: integers and bools must be equal; "
        "there is no noise floor\n"
        "        worst element labels[1]: 4 instead of 5\n"
        "  mend: look for what the engine rounds or casts; no tolerance forgives an integer"
    )
    assert "worst_ratio" not in verdict.figures


def test_half_precision_that_overflows_in_eager_leaves_the_ceiling():
    """Eager's own infinity is no noise floor that excuses everything."""
    eager = {"logits": planted((0, 0), np.inf)}
    assert judge_outputs(REFERENCE, REFERENCE, eager, precision="fp16").code == "match"
    doubled = {"logits": REFERENCE["logits"] * 2}
    assert judge_outputs(doubled, REFERENCE, eager, precision="fp16").code == "diverged"


def test_noise_floor_is_the_largest_error_of_floating_outputs():
    """The noise that the judge of classes takes is per output; labels have none."""
    reference = {**REFERENCE, "labels": np.array([1])}
    eager = {**EAGER, "labels": np.array([1])}
    assert noise_floor(eager, reference) == {"logits": pytest.approx(1e-6)}


def test_fp64_is_not_held_to_an_error_of_zero():
    """Eager in fp64 is the reference itself; its error of zero derives nothing."""
    off = {"logits": REFERENCE["logits"] * (1 + 1e-12)}
    assert judge_outputs(off, REFERENCE, REFERENCE, precision="fp64").code == "match"


def test_a_transposed_output_has_the_wrong_shape():
    """As many elements in another shape are not compared."""
    assert judge(EAGER["logits"].T).code == "wrong-shape"


BOXES, SCORES = slice(0, 4), slice(4, 10)


def mixed(axis, seed=0):
    """Return 4 boxes near 640 and 6 scores near 0.5 of 2 x 100 anchors, and eager's in bf16."""
    draw = np.random.default_rng(seed)
    scales = np.array([640] * 4 + [1] * 6).reshape(1, -1, 1)
    reference = scales * draw.uniform(0.05, 0.95, (2, 10, 100))
    eager, honest = (reference * (1 + draw.normal(0, 3e-3, reference.shape)) for _ in range(2))
    return tuple({"y": np.moveaxis(each, 1, axis)} for each in (reference, eager, honest))


def faulty(outputs, axis, change, where):
    """Return outputs whose channels ``where`` are changed."""
    channels = np.moveaxis(outputs["y"].copy(), axis, 1)
    channels[:, where] = change(channels[:, where])
    return {"y": np.moveaxis(channels, 1, axis)}


@pytest.mark.parametrize("axis", [1, 2])
def test_small_channels_are_judged_by_their_own_scale(axis):
    """A score 0.12 off is 3 % of what boxes in pixels may be off, and fails."""
    reference, eager, honest = mixed(axis)
    assert judge_outputs(honest, reference, eager, precision="bf16").code == "match"
    off = faulty(honest, axis, lambda scores: scores + 0.12 * (np.arange(100) == 7), [9])
    verdict = judge_outputs(off, reference, eager, precision="bf16")
    assert verdict.code == "diverged"
    place = r"\[\d, 9, 7\]" if axis == 1 else r"\[\d, 7, 9\]"
    assert re.search(
        rf"^engine: 'y' diverged from eager fp64\n  why:  'y' at 4 to 9 of axis {axis} "
        rf"\(scale 0.\d+\): max_abs 0.1\d+ > 0.0\d+ \(.*: the derived tolerance; .*\n"
        rf"        worst element y{place}: .*\n  mend: .*tolerance\(max_abs=\d.*\)$",
        verdict.message,
    )
    assert verdict.figures["worst_ratio"] > 1
    assert verdict.figures["relative_l2"] < 0.01  # of the whole output, as ever


@pytest.mark.parametrize(
    "change",
    [
        lambda scores: scores * 1.3,
        lambda scores: scores[..., ::-1],
        np.zeros_like,
        lambda scores: scores + 0.12,
    ],
)
@pytest.mark.parametrize("axis", [1, 2])
def test_wrong_scores_beside_boxes_fail_in_bf16(axis, change):
    """Scores that are scaled, reversed, zero or shifted are no rounding."""
    reference, eager, honest = mixed(axis)
    off = faulty(honest, axis, change, SCORES)
    assert judge_outputs(off, reference, eager, precision="bf16").code == "diverged"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2]))
def test_honest_rounding_of_every_scale_passes(seed, axis):
    """An engine as wrong as eager passes, whatever the draw."""
    reference, eager, honest = mixed(axis, seed)
    assert judge_outputs(honest, reference, eager, precision="bf16").code == "match"


def test_a_channel_stored_in_half_precision_fails_in_fp32():
    """Scores that went through fp16 are within fp32's tolerance of boxes, not of scores."""
    reference, _, _ = mixed(1)
    eager = {"y": reference["y"].astype(np.float32)}
    stored = faulty(eager, 1, lambda scores: scores.astype(np.float16).astype(np.float32), [6])
    assert judge_outputs(eager, reference, eager, precision="fp32").code == "match"
    verdict = judge_outputs(stored, reference, eager, precision="fp32")
    assert "'y' at 4 to 9 of axis 1" in verdict.message


def test_a_tolerance_by_hand_holds_for_every_part():
    """One of relative L2 and max abs replaces the derived ones, whole and part."""
    reference, eager, honest = mixed(1)
    off = faulty(honest, 1, lambda scores: scores * 1.3, SCORES)
    verdict = judge_outputs(off, reference, eager, precision="bf16")
    pasted = re.findall(r"(\w+)=([-+.e\d]+)", verdict.message.split("tolerance(")[1])
    given_tolerance = Tolerance(**{name: float(value) for name, value in pasted})
    again = judge_outputs(off, reference, eager, precision="bf16", tolerance=given_tolerance)
    assert again.code == "match"
    strict = Tolerance(relative_l2=0.1, max_abs=99)
    again = judge_outputs(off, reference, eager, precision="bf16", tolerance=strict)
    assert "relative_l2 0.3" in again.message
    assert "the tolerance set" in again.message


def test_integers_have_no_parts():
    """Integers of two scales must be equal, and are reported once."""
    reference = {"y": np.array([[[1000] * 9, [1] * 9]])}
    verdict = judge_outputs({"y": reference["y"] + 1}, reference, reference, precision="fp32")
    assert verdict.message.count("must be equal") == 1


def test_what_eager_does_too_is_no_fault_of_the_engine():
    """Where eager at the case's precision is infinite in as many elements, the model is."""
    overflowed = {"logits": planted((1, 3), np.inf)}
    verdict = judge_outputs(overflowed, REFERENCE, overflowed, precision="fp32", subject=SUBJECT)
    assert (verdict.status, verdict.code) == ("fail", "eager-not-finite")
    assert verdict.message == (
        f"{SUBJECT}: output 'logits' is not finite, and neither is eager's at this precision\n"
        "  why:  1 of 20 elements; the first is [1, 3]: inf instead of 2.47368421\n"
        "        in eager mode: 1 elements\n"
        "  mend: the engine does what the model does: change the model or its feeds so that "
        "nothing overflows or is divided by zero, or use another precision"
    )


def test_an_engine_that_is_worse_than_eager_is_blamed():
    """One infinity of eager's may be another of the engine's, or a few; it excuses no seven."""
    eager = {"logits": planted((1, 3), np.inf)}
    other = {"logits": planted((0, slice(6)), np.inf)}
    assert judge_outputs(other, REFERENCE, eager, precision="fp32").code == "eager-not-finite"
    other = {"logits": planted((0, slice(7)), np.inf)}
    assert judge_outputs(other, REFERENCE, eager, precision="fp32").code == "not-finite"
    worse = {"logits": np.full((2, 10), np.nan)}
    assert judge_outputs(worse, REFERENCE, eager, precision="fp32").code == "not-finite"


def test_checks_are_kept():
    """What was held to a bound is kept, the worst first; a pass and a failure have the same."""
    logits = EAGER["logits"]
    for verdict in (judge(logits), judge(logits * 1.5)):
        checks = verdict.details["checks"]
        ratios = [each["ratio"] for each in checks]
        assert ratios == sorted(ratios, reverse=True)
        assert ratios[0] == pytest.approx(verdict.figures["worst_ratio"])
        assert {each["metric"] for each in checks} == {"relative_l2", "max_abs", "gain"}
        assert all(each["value"] / each["bound"] == pytest.approx(each["ratio"]) for each in checks)


def test_checks_are_json():
    """A ratio without a bound, and a noise floor that is not there, are null."""
    ids = np.array([[1, 2], [3, 4]])
    verdict = judge_outputs({"ids": ids + 1}, {"ids": ids}, None, precision="fp32")
    (check,) = verdict.details["checks"]
    assert (check["value"], check["bound"]) == (1.0, 0.0)
    assert (check["noise"], check["ratio"]) == (None, None)
    json.dumps(verdict.details, allow_nan=False)
