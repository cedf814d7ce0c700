"""Rows are judged together and alone, and the worst is reported with its photograph's name."""

from dataclasses import replace

import numpy as np
import pytest

from pytest_infer.case import Case
from pytest_infer.judges.answer import Answer, Compared
from pytest_infer.judges.metrics import metrics
from pytest_infer.judges.parity import judge_outputs
from pytest_infer.judges.rows import RowJudge
from pytest_infer.judges.tolerance import Tolerance
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

DRAW = np.random.default_rng(0)
ROWS, SIZE = 8, 100
TRUTH = DRAW.normal(0, 1, (ROWS, SIZE)) * np.linspace(1, 2, ROWS)[:, None]
NOISE = 1e-6 * DRAW.normal(0, 1, (ROWS, SIZE))
NAMES = tuple(f"photograph {number} (p{number})" for number in range(1, ROWS + 1))


def spec(shape=("batch", SIZE), dtype="float32"):
    """Return the spec of a model with one output."""
    return ModelSpec(
        "toy",
        "tensor",
        {"x": TensorSpec(("batch", 4))},
        {"y": TensorSpec(shape, dtype)},
        Source(module="toy"),
    )


def compared(actual, truth=TRUTH, eager=None, batch=1):
    """Return calls of ``batch`` rows each."""
    eager = truth + NOISE if eager is None else eager
    return [
        Compared(
            Answer(
                {"y": actual[start : start + batch].astype(np.float32)},
                start,
                NAMES[start : start + batch],
                f"call {start // batch + 1}",
            ),
            {"y": truth[start : start + batch]},
            {"y": eager[start : start + batch]},
        )
        for start in range(0, len(truth), batch)
    ]


def judge(calls, batch=1, tolerance=None, of=None, precision="fp32"):
    """Return the finding."""
    case = Case("toy", "ort", precision, batch, "cpu")
    return RowJudge(of or spec(), case, tolerance)(calls)


def off(row, error):
    """Return outputs of which one row is off by ``error`` of its size."""
    actual = TRUTH + NOISE[::-1]
    actual[row] += error * np.roll(TRUTH[row], 1)
    return actual


@pytest.mark.parametrize("batch", [1, 2, 4, 8])
def test_right_outputs(batch):
    """Other noise of eager's size passes, and the figures are the worst row's."""
    actual = off(0, 0)
    verdict = judge(compared(actual, batch=batch), batch).verdict
    assert (verdict.status, verdict.code) == ("pass", "match")
    rows = [
        metrics()["relative_l2"](actual[row].astype(np.float32), TRUTH[row]) for row in range(ROWS)
    ]
    assert verdict.figures["relative_l2"] == pytest.approx(max(rows))


def test_output_without_dimensions():
    """Calls whose output is one number are judged one by one, and a wrong one fails."""
    numbers = np.float64([3, 4])
    calls = [
        Compared(
            Answer({"y": np.float32(number)}, 0, ("a", "b"), "call 1"),
            {"y": np.asarray(truth)},
            {"y": np.asarray(truth * (1 + 1e-7))},
        )
        for number, truth in zip((3, 5), numbers, strict=True)
    ]
    assert judge(calls[:1], of=spec(())).verdict.status == "pass"
    assert judge(calls, of=spec(())).verdict.code == "diverged"


@pytest.mark.parametrize("row", range(ROWS))
@pytest.mark.parametrize("batch", [1, 2, 4, 8])
def test_one_wrong_row_is_named(batch, row):
    """Its photograph, its row of the batch and its call are shown, and where the batch starts."""
    finding = judge(compared(off(row, 1e-3), batch=batch), batch)
    verdict = finding.verdict
    assert (verdict.status, verdict.code) == ("fail", "diverged")
    where = f"row {row % batch} of call {row // batch + 1}" if batch > 1 else f"call {row + 1}"
    first = verdict.message.splitlines()[0]
    assert first == f"toy-ort-fp32-b{batch}, {NAMES[row]}, {where}: 'y' diverged from eager fp64"
    assert "\n  rows: 1 of 8 fail alone" in verdict.message
    assert finding.start == row // batch * batch


def test_a_row_alone_is_not_diluted():
    """What is beyond the bound in one row of 8 is within it over all of them."""
    actual = off(0, 0)
    actual[1] += 3e-5 * DRAW.choice([-1, 1], SIZE)
    whole = judge_outputs(
        {"y": actual}, {"y": TRUTH}, {"y": TRUTH + NOISE}, precision="fp32", subject="toy"
    )
    assert whole.status == "pass"
    verdict = judge(compared(actual)).verdict
    assert verdict.status == "fail"
    assert "photograph 2 (p2)" in verdict.message


def test_all_rows_together_show_a_wrong_scale():
    """A scale that no row shows alone is seen over all of them."""
    noise = 1e-3
    truth = DRAW.normal(0, 1, (ROWS, SIZE))
    eager = truth * (1 + noise * DRAW.normal(0, 1, (ROWS, SIZE)))
    actual = truth * (1 + noise * DRAW.normal(0, 1, (ROWS, SIZE))) * 1.0012
    calls = compared(actual, truth, eager)
    alone = [judge([each], precision="fp16").verdict.status for each in calls]
    assert "fail" not in alone
    found = judge(calls, precision="fp16").verdict
    assert (found.status, found.code) == ("fail", "diverged")
    assert "8 rows of 8 calls" in found.message
    assert "gain" in found.message
    assert "\n  most: photograph " in found.message


def test_noise_of_a_row_that_is_small_by_luck():
    """A row in which eager happens to be exact may be off by as much as the median row."""
    eager = TRUTH + NOISE
    eager[3] = TRUTH[3]
    assert judge(compared(off(0, 0), eager=eager)).verdict.status == "pass"
    alone = judge(compared(off(0, 0), eager=eager)[3:4]).verdict
    assert alone.status == "fail"


def test_a_row_that_is_small_is_judged_with_the_others():
    """What is left of sums that cancel has their error, which is large beside it."""
    truth = TRUTH.copy()
    truth[2] *= 1e-4
    actual = truth + NOISE[::-1]
    assert judge(compared(actual, truth)).verdict.status == "pass"
    actual[2] += 1e-3
    verdict = judge(compared(actual, truth)).verdict
    assert verdict.status == "fail"
    assert "\n  most: photograph 3 (p3), call 3" in verdict.message


def test_rows_of_few_elements_are_judged_together():
    """A single score may be hit exactly by eager, and still be off in an engine."""
    truth, noise = TRUTH[:, :1], NOISE[:, :1].copy()
    noise[::2] = 0
    of = spec(("batch", 1))
    actual = truth + NOISE[::-1, :1]
    assert judge(compared(actual, truth, truth + noise), of=of).verdict.status == "pass"
    actual[4] += 1e-3
    verdict = judge(compared(actual, truth, truth + noise), of=of).verdict
    assert "\n  most: photograph 5 (p5), call 5" in verdict.message


def test_a_row_of_zeros_proves_nothing_alone():
    """It is judged with the others; if all are zero, nothing is proven."""
    truth = TRUTH.copy()
    truth[6] = 0
    actual = truth + 1e-7
    assert judge(compared(actual, truth)).verdict.status == "pass"
    actual[6, 4] = 0.1
    assert judge(compared(actual, truth)).verdict.status == "fail"
    assert judge(compared(0 * truth, 0 * truth)).verdict.code == "vacuous"


@pytest.mark.parametrize("batch", [1, 4])
def test_nan_is_named(batch):
    """The row that holds it is reported."""
    actual = off(0, 0)
    actual[6, 3] = np.nan
    finding = judge(compared(actual, batch=batch), batch)
    assert finding.verdict.code == "not-finite"
    where = "row 2 of call 2" if batch == 4 else "call 7"
    assert f", photograph 7 (p7), {where}: output 'y' is not finite" in finding.verdict.message
    assert "[0, 3]: nan instead of" in finding.verdict.message
    assert finding.start == 6 // batch * batch


def test_integers_name_the_row():
    """A wrong integer is reported with its photograph, large ones to the last unit."""
    truth = DRAW.integers(-(2**62), 2**62, (ROWS, SIZE))
    calls = compared(truth, truth, truth)
    calls = [replace(each, answer=replace(each.answer, outputs=each.truth)) for each in calls]
    of = spec(dtype="int64")
    assert judge(calls, of=of).verdict.status == "pass"
    wrong = truth[4:5].copy()
    wrong[0, 7] += 1
    calls[4] = replace(calls[4], answer=replace(calls[4].answer, outputs={"y": wrong}))
    verdict = judge(calls, of=of).verdict
    assert verdict.code == "diverged"
    assert "photograph 5 (p5), call 5" in verdict.message


def test_mark_to_paste_passes_every_row():
    """The tolerance in the message is wide enough for all that failed."""
    actual = off(1, 1e-3)
    actual[6] += 3e-3
    verdict = judge(compared(actual)).verdict
    assert "\n  rows: 2 of 8 fail alone" in verdict.message
    pasted = Tolerance(**verdict.bounds)
    assert judge(compared(actual), tolerance=pasted).verdict.status == "pass"
    keywords = ", ".join(f"{name}={value!r}" for name, value in sorted(pasted.as_dict().items()))
    assert f"@pytest.mark.tolerance({keywords})" in verdict.message


def test_outputs_without_rows_are_judged_call_by_call():
    """Where the first axis is not the batch there is nothing to take apart."""
    of = spec((SIZE,))
    calls = [
        Compared(
            Answer({"y": actual.astype(np.float32)}, row, NAMES[row : row + 1], f"call {row + 1}"),
            {"y": TRUTH[row]},
            {"y": TRUTH[row] + NOISE[row]},
        )
        for row, actual in enumerate(off(2, 1e-3))
    ]
    finding = judge(calls, of=of)
    assert finding.verdict.message.startswith("toy-ort-fp32-b1, call 3: 'y' diverged")
    assert finding.start == 2


def test_many_rows_are_judged_in_groups():
    """The 200th photograph is looked at as the first is."""
    truth = DRAW.normal(0, 1, (200, SIZE))
    noise = 1e-6 * DRAW.normal(0, 1, (200, SIZE))
    actual = truth + noise
    calls = [
        Compared(
            Answer({"y": actual[row : row + 1]}, row, (f"photograph {row + 1}",), f"call {row}"),
            {"y": truth[row : row + 1]},
            {"y": truth[row : row + 1] - noise[row : row + 1]},
        )
        for row in range(200)
    ]
    of = spec(dtype="float64")
    assert judge(calls, of=of).verdict.status == "pass"
    actual[199] += 1e-3
    verdict = judge(calls, of=of).verdict
    assert verdict.message.startswith("toy-ort-fp32-b1, photograph 200, ")
    assert [
        len(group) for group in RowJudge(of, Case("toy", "ort", "fp32", 1, "cpu")).groups(calls)
    ] == [
        64,
        64,
        64,
        8,
    ]


@pytest.mark.parametrize(
    ("outputs", "code"),
    [
        ({}, "missing-output"),
        ({"y": TRUTH[3:4]}, "wrong-dtype"),
        ({"y": TRUTH[3:4].T}, "wrong-shape"),
    ],
)
def test_malformed_answers_name_the_call(outputs, code):
    """One bad call of eight is refused."""
    calls = compared(off(0, 0))
    calls[3] = replace(calls[3], answer=replace(calls[3].answer, outputs=outputs))
    finding = judge(calls)
    assert (finding.verdict.code, finding.start) == (code, 3)
    assert finding.verdict.message.startswith("toy-ort-fp32-b1, call 4: output 'y' ")


def test_outputs_of_a_test_of_ones_own():
    """Without names, rows are counted; the subject is the case alone."""
    calls = [Compared(Answer({"y": off(2, 1e-3).astype("f4")}), {"y": TRUTH}, {"y": TRUTH + NOISE})]
    message = judge(calls, 8).verdict.message
    assert message.startswith("toy-ort-fp32-b8, row 2: 'y' diverged from eager fp64")
