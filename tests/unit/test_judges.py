"""The judges as a test gets them: each is bound to its case, reference and marks."""

from types import SimpleNamespace

import numpy as np
import pytest

from pytest_infer import judges
from pytest_infer.judges import Latency, Parity, Reference
from pytest_infer.latency import Budget
from pytest_infer.samples import Samples
from pytest_infer.spec import Case
from pytest_infer.tolerance import Tolerance

LOGITS = np.linspace(-3, 5, 10).reshape(1, 10)
NOISE = {"fp64": 0.0, "fp32": 1e-6, "fp16": 1e-2, "int8": 3e-2}


class FakeArtefacts:
    """Eager's outputs at each precision, and a postprocessing of boxes."""

    drift = 0.0
    """By how much another run of eager differs."""

    def __init__(self):
        self.asked = []

    def reference(self, _, precision):
        """Return the truth with the noise of a precision."""
        self.asked.append(precision)
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
    found = SimpleNamespace(spec=SimpleNamespace(outputs={"logits": None}, task="classification"))
    monkeypatch.setattr(judges.models, "find", lambda _: found)


def parity_of(precision, tolerance=None):
    """Return the judge of a case at a precision, and what it was made from."""
    case, artefacts = Case("toy", "ort", precision, 1, "cpu"), FakeArtefacts()
    return Parity(case, Reference(case, artefacts), artefacts, tolerance), artefacts


def off_by(error):
    """Return outputs that are off by ``error``."""
    return {"logits": LOGITS + error * np.where(np.arange(10) % 2, -1, 1)}


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
    judge, artefacts = parity_of("int8")
    assert judge(off_by(0.05)).status == "pass"
    assert judge(off_by(0.5)).status == "fail"
    assert judge.top_k(off_by(0.0)).status == "pass"
    assert set(artefacts.asked) == {"fp64", "int8"}


def test_reference_is_asked_once():
    """Each precision of the reference is computed when it is needed, and once."""
    judge, artefacts = parity_of("fp32")
    assert artefacts.asked == []
    judge(off_by(0))
    judge.top_k(off_by(0))
    assert sorted(artefacts.asked) == ["fp32", "fp64"]


def test_mark_replaces_what_is_derived():
    """A tolerance that was set by hand forgives what the derived one does not."""
    outputs = off_by(1e-3)
    assert parity_of("fp32")[0](outputs).status == "fail"
    judge, _ = parity_of("fp32", Tolerance(max_abs=0.01, relative_l2=0.01))
    assert judge(outputs).status == "pass"


def test_flipped_class_by_name():
    """A flipped class fails the top-1 and is told by its label."""
    judge, _ = parity_of("fp32")
    outputs = {"logits": LOGITS[:, ::-1]}
    verdict = judge.top_k(outputs)
    assert verdict.status == "fail"
    assert "class 9" in verdict.message


def test_a_model_that_differs_from_itself_is_told_before_an_engine():
    """Eager's third run is off by more than rounding: no engine is to blame."""
    judge, artefacts = parity_of("fp32")
    artefacts.drift = 0.5 * (np.arange(10) == 3)
    for verdict in (judge(off_by(1)), judge.top_k({"logits": LOGITS[:, ::-1]})):
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
    judge, artefacts = parity_of("fp32")
    artefacts.drift = 1e-6
    assert judge(off_by(1)).code == "diverged"
    artefacts.repeats = None
    assert judge(off_by(0)).status == "pass"


@pytest.mark.parametrize(
    ("outputs", "code"),
    [
        ({"logits": LOGITS.T}, "wrong-shape"),
        ({}, "missing-output"),
        ({"logits": LOGITS * np.nan}, "not-finite"),
    ],
)
def test_malformed_outputs_are_not_postprocessed(outputs, code, monkeypatch):
    """What is wrong with them is told, and not what a postprocessing makes of them."""
    judge, artefacts = parity_of("fp32")
    monkeypatch.setattr(artefacts, "meaning", None)
    for judged in (judge, judge.detections, judge.top_k):
        assert judged(outputs).code == code


@pytest.mark.parametrize(("moved", "status"), [(0, "pass"), (10, "fail")])
def test_moved_box(moved, status):
    """A box that moved by 10 pixels fails the detections."""
    judge, _ = parity_of("fp32")
    assert judge.detections({"logits": LOGITS + moved}).status == status


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
