"""Which baselines a run compares with, and which of its figures it stores."""

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_infer.baselines.chosen import (
    ChosenBaselines,
    identity_of,
    shipped_folder,
)
from pytest_infer.baselines.update import store_by_device, store_measured
from pytest_infer.case import Case
from pytest_infer.config import InferConfig
from pytest_infer.errors import BaselineError, OptionError
from pytest_infer.reports.record import record_from_verdict
from pytest_infer.stored_gate import Gate, StoredMeasurement
from pytest_infer.verdict import ToStore, Verdict

CPU = {"kind": "cpu", "name": "Intel(R) Xeon(R) CPU @ 2.70GHz", "cores": 2}
SLUG = "cpu-intel-xeon-2.70ghz-2c"
CASE = Case("toy", "ort", "fp32", 1, "cpu")
FIGURES = {"p50_ms": 2.0, "p90_ms": 2.5, "throughput_per_s": 500.0, "calls": 100, "speedup": 1.5}


def chosen(folder, device=CPU, **options):
    """Return the baselines of a run with these options."""
    config = InferConfig(baselines=folder, **options)
    return ChosenBaselines(config, device)


def records(*verdicts, case=CASE):
    """Return the records of verdicts on this CPU."""
    origin = {"device": CPU, "runtime": {"python": "3.11.7", "onnxruntime": "1.20.0"}}
    return [record_from_verdict(each, case, "test_it", **origin) for each in verdicts]


def measured(**figures):
    """Return the verdict on a measured case."""
    return Verdict("latency", "pass", "measured", "text", FIGURES | figures)


def store(folder, *verdicts, **options):
    """Store what was measured."""
    return stored(chosen(folder, update="all", **options), records(*verdicts))


def stored(run, found):
    """Store what a run has measured."""
    return store_measured(run._config, run, found)


def test_stored_and_found_again(tmp_path):
    """What is stored on a device is what ``auto`` compares with there."""
    assert "\n".join(store(tmp_path, measured())).splitlines() == [
        f"stored in {tmp_path / SLUG}: 1 entries",
        "                   p50 ms   images/s   over eager",
        " ────────────────────────────────────────────────",
        " toy-ort-fp32-b1    new 2    new 500      new 1.5",
    ]
    found = chosen(tmp_path)
    assert found.own(CASE).figures["p50_ms"] == 2.0
    assert found.gated(CASE) is None
    assert found.judge_floor(CASE, FIGURES).code == "no-measurements"


def test_measurements_are_stored_for_the_gate(tmp_path):
    """What the baseline's verdict has measured goes into the entry; the gate finds it again."""
    store(tmp_path, measured(), to_be_stored())
    (each,) = chosen(tmp_path).gated(CASE).gate.measurements
    assert (each.theta, each.rho, each.engine_ms, each.rounds) == (0.5, 3.0, 7.5, 100)
    assert chosen(tmp_path, device=CPU | {"name": "another"}).gated(CASE) is None


def test_figures_of_all_judges(tmp_path):
    """Latency and parity of a case become one entry of 5 digits, counts left out."""
    parity = Verdict("parity", "pass", "match", "", {"mae": 1.23456789e-7, "worst_ratio": 0.1})
    store(tmp_path, measured(p50_ms=2.0000123), parity)
    (entry,) = chosen(tmp_path).baselines.read("toy").values()
    assert entry.figures == {
        "p50_ms": 2.0,
        "p90_ms": 2.5,
        "throughput_per_s": 500.0,
        "speedup": 1.5,
        "mae": 1.2346e-7,
    }
    assert entry.provenance.versions == {"python": "3.11.7", "onnxruntime": "1.20.0"}
    assert entry.provenance.command == (
        "pytest-infer run --update-baselines --engine=ort --infer-model=toy "
        "--infer-precision=fp32 --infer-batch=1"
    )


def test_replaced(tmp_path):
    """A second update shows the old figure and the new one."""
    store(tmp_path, measured())
    assert store(tmp_path, measured(p50_ms=1.0))[1].splitlines()[-1].split() == [
        *("toy-ort-fp32-b1", "2", "->", "1", "(-50.0%)", "500", "1.5")
    ]


def test_failed_case_is_not_stored(tmp_path):
    """A case with any failure, or without a conclusion, keeps its old baseline."""
    for status, code in (("fail", "diverged"), ("inconclusive", "noisy")):
        wrong = Verdict("parity", status, code, "text")
        assert store(tmp_path, measured(), wrong) == [f"not stored: toy-ort-fp32-b1 ({code})"]
    assert not list(tmp_path.iterdir())


def test_each_device_its_own_folder(tmp_path):
    """Cases that ran on two machines are stored apart; a failure keeps its own case out only."""
    far = {"kind": "cuda", "name": "NVIDIA Orin", "driver": "540"}
    there = Case("toy", "trt", "fp32", 1, "cuda:0")
    bad = Case("toy", "trt", "fp16", 1, "cuda:0")
    found = records(measured())
    for case in (there, bad):
        found += [replace(each, device=far) for each in records(measured(p50_ms=1.0), case=case)]
    wrong = Verdict("parity", "fail", "diverged", "text")
    found += [replace(each, device={}) for each in records(wrong, case=bad)]
    config = InferConfig(baselines=tmp_path, update="all")
    told = store_by_device(config, found)
    assert told[0] == f"stored in {tmp_path / SLUG}: 1 entries"
    assert " toy-ort-fp32-b1    new 2 " in told[1]
    assert told[2] == f"stored in {tmp_path / 'orin'}: 1 entries"
    assert " toy-trt-fp32-b1    new 1 " in told[3]
    assert told[4:] == [
        "not stored: toy-trt-fp16-b1 (diverged)",
    ]


def test_no_device_without_a_measurement(tmp_path):
    """An update of a run that measured nothing anywhere says so."""
    match = Verdict("parity", "pass", "match", "text")
    config = InferConfig(baselines=tmp_path, update="all")
    assert store_by_device(config, records(match)) == [
        "no baseline was stored: nothing was measured"
    ]


def test_nothing_measured(tmp_path):
    """An update of a run without measurements says so."""
    match = Verdict("parity", "pass", "match", "text")
    assert store(tmp_path, match) == ["no baseline was stored: nothing was measured"]


def test_device_of_another_run(tmp_path):
    """A folder of another device is refused before anything is written."""
    store(tmp_path, measured(), baseline="mine")
    other = chosen(tmp_path, CPU | {"cores": 4}, update="all", baseline="mine")
    with pytest.raises(BaselineError, match="cannot store baselines in"):
        stored(other, records(measured()))


def test_no_judgement_of_what_is_replaced(tmp_path):
    """While baselines are updated, nothing is compared with the old ones."""
    store(tmp_path, measured())
    replaced = chosen(tmp_path, update="all")
    assert replaced.is_stored_anew(CASE)
    assert replaced.own(CASE) is replaced.gated(CASE) is None


OTHER = Case("toy", "eager", "fp32", 1, "cpu")
GATE = Gate(1, "monotonic", 1, [StoredMeasurement(0.5, 3.0, 7.5, 100)])


def to_be_stored(*, renews=False):
    """Return the verdict on a case that was measured to be stored."""
    to_store = ToStore(GATE, renews=renews)
    return Verdict("baseline", "new", "to-be-stored", "", to_store=to_store)


@pytest.mark.parametrize("update", ["new", "improved"])
def test_what_is_there_is_judged(tmp_path, update):
    """Only what is missing where the run stores is measured to be stored; the rest is judged."""
    store(tmp_path, measured(), to_be_stored())
    run = chosen(tmp_path, update=update)
    assert not run.is_stored_anew(CASE)
    assert run.own(CASE).figures["p50_ms"] == 2.0
    assert run.gated(CASE) is not None
    assert run.is_stored_anew(OTHER)
    assert run.own(OTHER) is None
    assert run.renews_improved == (update == "improved")
    assert chosen(tmp_path, update=update, baseline="mine").is_stored_anew(CASE)
    assert not chosen(tmp_path).is_stored_anew(OTHER)


def test_missing_only(tmp_path):
    """``new`` stores what is missing, leaves what is there, and says what of the missing failed."""
    store(tmp_path, measured())
    fast = records(measured(p50_ms=1.0), case=CASE)
    slow = records(measured(p50_ms=9.0), case=OTHER)
    run = chosen(tmp_path, update="new")
    told = stored(run, fast + slow)
    assert told[0] == f"stored in {tmp_path / SLUG}: 1 entries"
    there = chosen(tmp_path).baselines.read("toy")
    assert {key: each.figures["p50_ms"] for key, each in there.items()} == {
        CASE.id: 2.0,
        OTHER.id: 9.0,
    }
    assert stored(chosen(tmp_path, update="new"), fast + slow) == [
        "no baseline was stored: nothing that was measured is missing"
    ]
    regressed = records(Verdict("baseline", "fail", "regressed", ""), case=CASE)
    third = Case("toy", "ort", "fp32", 8, "cpu")
    noisy = records(measured(), Verdict("baseline", "inconclusive", "noisy", ""), case=third)
    assert stored(chosen(tmp_path, update="new"), fast + regressed + noisy) == [
        "not stored: toy-ort-fp32-b8 (noisy)"
    ]


def test_improved_too(tmp_path):
    """``improved`` replaces the entry of a case that has improved, and no other."""
    store(tmp_path, measured())
    run = chosen(tmp_path, update="improved")
    assert stored(run, records(measured(p50_ms=1.0))) == [
        "no baseline was stored: nothing that was measured is missing or has improved"
    ]
    renewed = records(measured(p50_ms=1.0), to_be_stored(renews=True))
    assert stored(run, renewed)[0] == f"stored in {tmp_path / SLUG}: 1 entries"
    assert chosen(tmp_path).own(CASE).figures["p50_ms"] == 1.0
    slower = records(measured(p50_ms=9.0), Verdict("baseline", "fail", "regressed", ""))
    stored(run, slower)
    assert chosen(tmp_path).own(CASE).figures["p50_ms"] == 1.0


def test_missing_no_more(tmp_path):
    """What another run has stored meanwhile stays: it is not missing any more."""
    mine, yours = (chosen(tmp_path, update="new") for _ in range(2))
    assert mine.is_stored_anew(CASE)
    assert yours.is_stored_anew(CASE)
    stored(mine, records(measured(p50_ms=1.0), to_be_stored()))
    stored(yours, records(measured(p50_ms=3.0), to_be_stored()))
    assert chosen(tmp_path).own(CASE).figures["p50_ms"] == 1.0


@pytest.mark.parametrize("update", ["all", "new", "improved"])
def test_a_folder_in_which_nothing_could_be_stored(tmp_path, update):
    """It is found before anything is measured: another device's, or one of published figures."""
    store(tmp_path, measured(), baseline="mine")
    other = chosen(tmp_path, CPU | {"cores": 4}, update=update, baseline="mine")
    with pytest.raises(BaselineError, match="cannot store baselines in"):
        other.check()


def test_named_and_new(tmp_path):
    """A name that does not exist yet can be stored under, and not compared with."""
    assert chosen(tmp_path, baseline="mine", update="all").baselines is None
    with pytest.raises(OptionError, match="unknown baseline 'mine'"):
        chosen(tmp_path, baseline="mine").check()


def test_no_baseline_for_this_device(tmp_path):
    """On a device without baselines every case is new, never passed."""
    verdict = chosen(tmp_path).judge_floor(CASE, FIGURES)
    assert (verdict.status, verdict.code) == ("new", "no-baseline")


def test_broken_file_is_found_before_the_run(tmp_path):
    """Every file of the chosen baselines is read before anything is measured."""
    store(tmp_path, measured())
    (tmp_path / SLUG / "other.json").write_text("{")
    with pytest.raises(BaselineError, match="cannot read"):
        chosen(tmp_path).check()


def test_driver_is_not_identity():
    """A new driver does not make another device."""
    gpu = {"kind": "cuda", "name": "NVIDIA H200", "driver": "570.1", "memory_bytes": 1}
    assert identity_of(gpu) == {"kind": "cuda", "name": "NVIDIA H200"}
    assert identity_of(CPU)["cores"] == "2"


def test_shipped():
    """The published baselines are found beside the package or in it."""
    assert (shipped_folder() / "gtx1070/device.json").is_file()
    assert isinstance(shipped_folder(), Path)
