"""The judges as a test gets them: each is bound to its case, reference and marks."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_infer.case import Case
from pytest_infer.errors import CaseError
from pytest_infer.judges.answer import Answer
from pytest_infer.judges.budget import Budget
from pytest_infer.judges.burst import Burst, Odd
from pytest_infer.judges.tolerance import Tolerance
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec
from pytest_infer.session import parity
from pytest_infer.session.latency import Latency, TimedCalls
from pytest_infer.session.parity import Parity
from pytest_infer.session.reference import Reference
from pytest_infer.timing.look import look_from_outputs
from pytest_infer.timing.samples import Samples

LOGITS = np.linspace(-3, 5, 10).reshape(1, 10)
NOISE = {"fp64": 0.0, "fp32": 1e-6, "fp16": 1e-2, "int8": 3e-2}


class FakeEager:
    """Eager's outputs at each precision, and a postprocessing of boxes."""

    drift = 0.0
    """By how much another run of eager differs."""

    def __init__(self):
        self.asked = []

    def reference(self, _, precision, start=0):
        """Return the truth with the noise of a precision."""
        self.asked.append(precision if not start else (precision, start))
        return {"logits": LOGITS + NOISE[precision] * np.where(np.arange(10) % 2, 1, -1)}

    def repeats(self, _):
        """Return eager's outputs in fp32, three times."""
        return [{"logits": LOGITS}] * 2 + [{"logits": LOGITS + self.drift}]

    def labels(self, _):
        """Return the names of ten classes."""
        return tuple(f"class {number}" for number in range(10))

    def meaning(self, _, outputs):
        """Return one box per row, at the first logit."""
        return [
            {
                "boxes": np.array([[10.0, 10.0, 50.0, 50.0]]) + row[0] - LOGITS[0, 0],
                "labels": np.array([1]),
                "scores": np.array([0.9]),
            }
            for row in outputs["logits"]
        ]


@pytest.fixture(autouse=True)
def _model(monkeypatch):
    spec = ModelSpec(
        "toy",
        "classification",
        {"image": TensorSpec(("batch", 3))},
        {"logits": TensorSpec(("batch", 10))},
        Source(module="toy"),
    )
    monkeypatch.setattr(parity.models, "find", lambda _: SimpleNamespace(spec=spec))


def parity_of(precision, tolerance=None):
    """Return the judge of a case at a precision, and what it was made from."""
    case, eager = Case("toy", "ort", precision, 1, "cpu"), FakeEager()
    return Parity(case, Reference(case, eager), eager, tolerance), eager


def off_by(error):
    """Return outputs that are off by ``error``."""
    logits = LOGITS + error * np.where(np.arange(10) % 2, -1, 1)
    return {"logits": logits.astype(np.float32)}


@pytest.mark.parametrize(
    ("precision", "error", "status"),
    [("fp32", 1e-6, "pass"), ("fp32", 1e-4, "fail"), ("fp16", 1e-2, "pass"), ("fp16", 1, "fail")],
)
def test_noise_is_of_the_same_precision(precision, error, status):
    """What eager loses at a precision, an engine may lose at it, and no more than a few times."""
    judge, _ = parity_of(precision)
    verdict = judge(off_by(error))
    assert (verdict.status, verdict.message.split(":")[0].split(" ")[0]) == (
        status,
        f"toy-ort-{precision}-b1",
    )


def test_int8_has_the_noise_of_its_simulation():
    """In int8 the noise floor is eager's with every product rounded to 8 bits."""
    judge, eager = parity_of("int8")
    assert judge(off_by(0.05)).status == "pass"
    assert judge(off_by(0.5)).status == "fail"
    assert judge.top_k(off_by(0.0)).status == "pass"
    assert set(eager.asked) == {"fp64", "int8"}


def test_reference_is_asked_once():
    """Each precision of the reference is computed when it is needed, and once."""
    judge, eager = parity_of("fp32")
    assert eager.asked == []
    judge(off_by(0))
    judge.top_k(off_by(0))
    assert sorted(eager.asked) == ["fp32", "fp64"]


def test_mark_replaces_what_is_derived():
    """A tolerance that was set by hand forgives what the derived one does not."""
    outputs = off_by(1e-3)
    assert parity_of("fp32")[0](outputs).status == "fail"
    judge, _ = parity_of("fp32", Tolerance(max_abs=0.01, relative_l2=0.01))
    assert judge(outputs).status == "pass"


def test_flipped_class_by_name():
    """A flipped class fails the top-1 and is reported by its label."""
    judge, _ = parity_of("fp32")
    outputs = {"logits": LOGITS[:, ::-1].astype(np.float32)}
    verdict = judge.top_k(outputs)
    assert verdict.status == "fail"
    assert "row 0: top-1 has class 0 (0) instead of class 9 (9)" in verdict.message
    assert "class 9" in verdict.message


def test_a_model_that_differs_from_itself_is_told_before_an_engine():
    """Eager's third run is off by more than rounding: no engine is to blame."""
    judge, eager = parity_of("fp32")
    eager.drift = 0.5 * (np.arange(10) == 3)
    for verdict in (judge(off_by(1)), judge.top_k({"logits": LOGITS[:, ::-1].astype(np.float32)})):
        assert (verdict.status, verdict.code) == ("fail", "not-deterministic")
    assert judge(off_by(1)).message == (
        "toy-ort-fp32-b1: non-deterministic model: eager differs from itself\n"
        "  why:  two runs of eager in fp32 on the same inputs:\n"
        "        'logits' differs in 1 of 10 elements; the first is [0, 3]: "
        f"{LOGITS[0, 3] + 0.5:.9g} and {LOGITS[0, 3]:.9g}\n"
        "  mend: take random numbers and what is left from other calls out of forward (dropout "
        "with training=self.training); then judge the engine"
    )


def test_rounding_of_eager_does_not_excuse_an_engine():
    """Atomic sums differ in their last bits; eager is not run again for what passes."""
    judge, eager = parity_of("fp32")
    eager.drift = 1e-6
    assert judge(off_by(1)).code == "diverged"
    eager.repeats = None
    assert judge(off_by(0)).status == "pass"


@pytest.mark.parametrize(
    ("outputs", "code"),
    [
        ({"logits": LOGITS.T}, "wrong-shape"),
        ({}, "missing-output"),
        ({"logits": (LOGITS * np.nan).astype(np.float32)}, "not-finite"),
    ],
)
def test_malformed_outputs_are_not_postprocessed(outputs, code, monkeypatch):
    """What is wrong with them is reported, and not what a postprocessing makes of them."""
    judge, eager = parity_of("fp32")
    monkeypatch.setattr(eager, "meaning", None)
    for judged in (judge, judge.detections, judge.top_k):
        assert judged(outputs).code == code


def test_the_task_s_judge_is_asked():
    """A classifier's is that of its classes; a model without a task has none."""
    judge, _ = parity_of("fp32")
    flipped = {"logits": LOGITS[:, ::-1].astype(np.float32)}
    assert judge.task(flipped) == judge.top_k(flipped)
    assert judge.task(off_by(0)).code == "match"


def test_a_model_without_a_task_has_no_judge(monkeypatch):
    """Asking for it is an error that says how to narrow the test."""
    spec = replace(parity.models.find("toy").spec, task="tensor")
    monkeypatch.setattr(parity.models, "find", lambda _: SimpleNamespace(spec=spec))
    with pytest.raises(CaseError) as caught:
        parity_of("fp32")[0].task(off_by(0))
    assert str(caught.value) == (
        "cannot judge the task of toy-ort-fp32-b1\n"
        "  why:  the task of toy is 'tensor', which has no judge\n"
        "  mend: give the model a task (classification, detection, embeddings, regression, "
        "segmentation, text_generation), or narrow the test with "
        "@pytest.mark.infer(with_task=True)"
    )


@pytest.mark.parametrize(("moved", "status"), [(0, "pass"), (10, "fail")])
def test_moved_box(moved, status):
    """A box that moved by 10 pixels fails the detections."""
    judge, _ = parity_of("fp32")
    outputs = {"logits": (LOGITS + moved).astype(np.float32)}
    assert judge.detections(outputs).status == status


def answers(*errors):
    """Return an answer to each photograph, off by an error."""
    return [
        Answer(off_by(error), start, (f"photograph {start + 1} (p)",), f"call {start + 1}")
        for start, error in enumerate(errors)
    ]


def test_answers_to_several_photographs():
    """Each has its own reference; a wrong one fails all judges by its name."""
    judge, eager = parity_of("fp32")
    assert judge(answers(0, 0, 0)).status == "pass"
    assert {("fp64", 1), ("fp64", 2), ("fp32", 1), ("fp32", 2)} < set(eager.asked)
    verdict = judge(answers(0, 0, 1e-2))
    assert (verdict.status, verdict.code) == ("fail", "diverged")
    assert "photograph 3 (p), call 3" in verdict.message
    flipped = [*answers(0, 0)]
    flipped[1] = replace(flipped[1], outputs={"logits": LOGITS[:, ::-1].astype(np.float32)})
    assert "photograph 2 (p), call 2: top-1 has" in judge.top_k(flipped).message
    assert "photograph 2 (p), call 2: class 1" in judge.detections(answers(0, 10)).message


@pytest.mark.parametrize("judged", ["__call__", "top_k"])
def test_explanation_is_of_the_batch_that_failed(judged):
    """What packs a bundle gets to know which photograph it is."""
    case, eager, asked = Case("toy", "ort", "fp32", 1, "cpu"), FakeEager(), []

    def explain(verdict, case, tolerance, start):
        asked.append((case.id, tolerance, start))
        return verdict

    judge = Parity(case, Reference(case, eager), eager, None, explain=explain)
    found = answers(0, 0, 0)
    found[2] = replace(found[2], outputs={"logits": LOGITS[:, ::-1].astype(np.float32)})
    assert getattr(judge, judged)(found).status == "fail"
    assert asked == [("toy-ort-fp32-b1", None, 2)]


def test_burst_is_judged_by_its_farthest_answer():
    """The feeds of that answer decide what it is compared with."""
    judge, _ = parity_of("fp32")

    class Answers(list):
        def burst(self):
            return Burst(32, 1, self.odd)

    found = Answers(answers(0, 0, 0))
    found.odd = None
    assert judge.burst(found).status == "pass"
    found.odd = Odd(7, 3, off_by(1e-2))
    verdict = judge.burst(found)
    assert (verdict.status, verdict.code) == ("fail", "not-repeatable")
    assert "call 7 of 32 in a row (feeds 3)" in verdict.message


def looked_at(*others):
    """Return the verdict on samples whose timed calls put out something."""
    case, eager = Case("toy", "ort", "fp32", 1, "cpu"), FakeEager()
    timed = TimedCalls(case, Reference(case, eager), None)
    look = look_from_outputs(off_by(0), *others)
    return Latency(case, None, timed=timed)(replace(samples(4), look=look))


def test_wrong_timed_calls_fail_the_latency():
    """Figures are kept beside the failure."""
    verdict = looked_at(off_by(1e-2), off_by(0))
    assert (verdict.judge, verdict.status, verdict.code) == ("latency", "fail", "not-repeatable")
    assert verdict.figures["p50_ms"] == 4


def test_unseen_timed_calls_are_told():
    """An engine that cannot show them is not failed for it."""
    verdict = looked_at(None, off_by(0))
    assert (verdict.status, verdict.code) == ("pass", "measured")
    assert verdict.message.endswith(
        "; what timed calls put out cannot be seen, only calls before and after them"
    )
    assert "cannot be seen" not in looked_at(off_by(0), off_by(0)).message


def samples(duration_ms):
    """Return ten equal durations."""
    return Samples((int(duration_ms * 1e6),) * 10, "monotonic", batch=1, warmup_calls=1)


@pytest.mark.parametrize(("p50_ms", "status"), [(2, "fail"), (5, "pass")])
def test_latency_has_the_budget_of_its_mark(p50_ms, status):
    """Samples are judged by the mark's budget, in the case's name."""
    case = Case("toy", "ort", "fp32", 1, "cpu")
    verdict = Latency(case, Budget(p50_ms=p50_ms))(samples(4), samples(8))
    assert verdict.status == status
    assert verdict.figures["speedup"] == 2
    assert verdict.message.startswith("toy-ort-fp32-b1")


@pytest.mark.parametrize("given", [None, 3, LOGITS, [{"logits": LOGITS}]])
def test_what_is_no_answer(given):
    """An engine call whose result was forgotten is reported, and so is a bare array."""
    case = Case("toy", "ort", "fp32", 1, "cpu")
    judge = Parity(case, Reference(case, FakeEager()), FakeEager(), None)
    with pytest.raises(CaseError, match="cannot judge toy-ort-fp32-b1") as caught:
        list(judge._answers(given))
    assert type(given).__name__ in caught.value.why
