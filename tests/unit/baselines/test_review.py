"""What is said of stored baselines after a complete run, with plain records."""

import pytest

from pytest_infer.baselines.entry import Entry, Measured
from pytest_infer.baselines.folder import Baselines
from pytest_infer.baselines.review import review_lines
from pytest_infer.baselines.store import update
from pytest_infer.case import Case
from pytest_infer.config import InferConfig
from pytest_infer.reports.record import Record
from pytest_infer.stored_gate import Gate, StoredMeasurement

CPU = {"kind": "cpu", "name": "Laptop CPU", "cores": 2}
IDENTITY = {"kind": "cpu", "name": "Laptop CPU", "cores": "2"}
RUNTIME = {"python": "3.11.7", "onnxruntime": "1.31.1"}
OLD, NEW = "0" * 32, "f" * 32


def case(engine="ort", model="toy", precision="fp32", batch=1, options=()):
    """Return a case."""
    return Case(model, engine, precision, batch, "cpu", options)


def entry(artefact=OLD, driver="", **versions):
    """Return an entry that was stored with these versions."""
    provenance = Measured("CPU", "2026-01-02", "c", driver, {**RUNTIME, **versions})
    gate = Gate(1, "monotonic", 1, [StoredMeasurement(1.0, 2.0, 3.0, 12)], artefact=artefact)
    return Entry({"p50_ms": 1.0}, provenance, gate)


def record(ran, device=CPU, artefact=OLD):
    """Return the record of a case that ran."""
    origin = {"device": device, "runtime": RUNTIME}
    return Record("test_it", ran, "baseline", "pass", "steady", "", artefact=artefact, **origin)


@pytest.fixture
def review(tmp_path):
    """Review what is stored after a run of these cases."""

    def call(stored, ran, met=(), **options):
        update(tmp_path / "mine", IDENTITY, stored)
        ids = {each.case_id for each in ran} | {each.id for each in met}
        lines = review_lines(InferConfig(baselines=tmp_path, **options), ran, ids)
        return [line.replace(str(tmp_path), "") for line in lines]

    return call


def test_nothing_to_say(review):
    """What was stored with the same engine, and what belongs to other runs, is not mentioned."""
    stored = [
        case(),
        case("trt"),
        case(precision="int8"),
        case(batch=8),
        case(options=(("threads", 2),)),
    ]
    assert review(dict.fromkeys(stored, entry()), [record(case())]) == []


def test_unused(review):
    """A model or an engine that is gone has entries that no case can use."""
    stored = [case(), case(model="gone"), case("gone-engine"), case("eager")]
    lines = review(dict.fromkeys(stored, entry()), [record(case()), record(case("eager"))])
    assert lines == [
        (
            "unused: 2 entries of /mine: no test of this run has such a case; "
            "delete what is not needed: gone-ort-fp32-b1, toy-gone-engine-fp32-b1"
        )
    ]


def test_met_is_used(review):
    """A case that a test had is not unused, whatever became of the test."""
    stored = dict.fromkeys([case(), case(model="crashed")], entry())
    assert review(stored, [record(case())], met=[case(model="crashed")]) == []
    assert len(review(stored, [record(case())])) == 1


def test_what_was_asked_for(review):
    """Entries of the run's own precisions, batches and settings are its matter."""
    settings = (("threads", 2),)
    stored = [
        case(model="gone", precision="int8", batch=8, options=settings),
        case(model="gone", precision="int8", batch=8),
    ]
    ran = case(precision="int8", batch=8, options=settings)
    (line,) = review(
        dict.fromkeys(stored, entry()), [record(ran)], precisions=("int8",), batches=(1, 8)
    )
    assert line.endswith(": gone-ort-int8-b8+threads=2")


def test_stale(review):
    """Another version, driver or built engine, told apart, and how many keys each concerns."""
    many = [case(batch=batch) for batch in range(1, 8)]
    stored = dict.fromkeys(many, entry(onnxruntime="1.30.0"))
    stored[case("eager")] = entry(driver="570.1")
    stored[case("tvm")] = entry(NEW)
    ran = [record(each) for each in stored]
    assert review(stored, ran, batches=tuple(range(1, 8))) == [
        (
            "stale: 1 entry of /mine, stored with another built engine; "
            "renew by --update-baselines: toy-tvm-fp32-b1"
        ),
        (
            "stale: 1 entry of /mine, stored with another driver (570.1 -> none); "
            "renew by --update-baselines: toy-eager-fp32-b1"
        ),
        (
            "stale: 7 entries of /mine, stored with another onnxruntime (1.30.0 -> 1.31.1); "
            "renew by --update-baselines: toy-ort-fp32-b1, toy-ort-fp32-b2, toy-ort-fp32-b3, "
            "toy-ort-fp32-b4, toy-ort-fp32-b5 and 2 more"
        ),
    ]


def test_python_is_no_engine(review):
    """Another Python alone makes nothing stale."""
    assert review({case(): entry(python="3.10.1")}, [record(case())]) == []


def test_other_devices(review, tmp_path):
    """Baselines of another device, published ones and none at all are no matter of a run."""
    stored = {case(model="gone"): entry()}
    there = record(case(), device=CPU | {"cores": 4})
    assert review(stored, [there]) == []
    assert review(stored, [record(case())], baseline="gtx1070") == []
    assert len(review(stored, [record(case()), there])) == 1
    assert Baselines(tmp_path / "mine").models() == ("gone",)


def test_models_of_experiments(review):
    """A model that is no part of the matrix has no case in a run of the suite."""
    stored = [case(), case(model="mobilenet_v2_scratch")]
    assert review(dict.fromkeys(stored, entry()), [record(case())]) == []
