"""The judge of baselines: what it measures, with what it compares, and what it stores."""

import json
from dataclasses import replace
from math import log
from types import SimpleNamespace

import pytest

from pytest_infer.baselines.entry import Entry, Measured
from pytest_infer.case import Case
from pytest_infer.judges.terms import (
    CPU,
    GPU,
    LAUNCH_BOUND,
    OTHER_CLOCK,
    OTHER_GPU,
    SHARED_CPU,
)
from pytest_infer.session.baseline_judge import BaselineJudge
from pytest_infer.session.gate_terms import PROTOCOL, terms_of
from pytest_infer.session.gate_timer import Setting
from pytest_infer.stored_gate import Gate, StoredMeasurement
from pytest_infer.timing.measurement import Measurement
from pytest_infer.timing.samples import Samples
from pytest_infer.verdict import Verdict

CASE = Case("toy", "ort", "fp32", 1, "cpu")
SAMPLES = Samples((4_000_000,) * 10, "monotonic", batch=1, warmup_calls=1)
VERSIONS = {"onnxruntime": "1.31.1"}
ARTEFACT = "0123456789abcdef0123456789abcdef"
CONTENT = "ab" * 32
BUILT = SimpleNamespace(folder=f"/cache/engines/{ARTEFACT}", content=CONTENT)
ENGINE = SimpleNamespace(case=CASE, built=BUILT)
TUNED = replace(CASE, engine="trt")
"""Of an engine whose builder times kernels."""


def look(change=0.0, kept=12, duet=None):
    """Return a measurement that is slower than the stored ones by ``change``."""
    return Measurement(1.0 + log(1 + change), 2.0, 10.0 * (1 + change), kept, duet=duet)


class GateTimer:
    """Gives what is planted; notes which stored folder it was asked to run beside."""

    def __init__(self, looks, cores=2, case=CASE):
        self.looks, self.cores, self.beside, self.case = iter(looks), cores, [], case

    def setting(self, case):
        """Return that of a small CPU."""
        assert case is self.case
        return Setting("monotonic", threads=1, cores=self.cores, rounds=0)

    def __call__(self, engine, feeds, stored_folder=""):
        """Return the next measurement."""
        assert (engine, feeds) == (ENGINE, {})
        self.beside.append(stored_folder)
        return next(self.looks)

    def kept_folder(self, case, artefact):
        """Return where the artefact is."""
        assert case is self.case
        return f"/kept/{artefact}"


def entry(**changes):
    """Return a stored entry whose measurements are all alike."""
    fields = {"protocol": PROTOCOL, "clock": "monotonic", "threads": 1, "artefact": ARTEFACT}
    fields["measurements"] = [StoredMeasurement(1.0, 2.0, 10.0, 12)] * 5
    gate = Gate(**{**fields, **changes})
    provenance = Measured("CPU", "2026-01-02", "pytest suites", versions=VERSIONS)
    return Entry({"p50_ms": 10.0}, provenance, gate)


def judged(
    stored,
    gate_timer,
    *,
    is_updating=False,
    renews=False,
    versions=VERSIONS,
    timed=None,
    case=CASE,
    keep_timings=str,
):
    """Return the verdict of the judge on planted measurements."""
    baselines = SimpleNamespace(
        is_stored_anew=lambda _: is_updating,
        renews_improved=renews,
        gated=lambda _: stored,
        judge_floor=lambda _, figures: Verdict("baseline", "new", "no-baseline", "", figures),
        storing_command=lambda _: "pytest suites --update-baselines",
        place_of=lambda case: f"/b/toy.json: {case.id}",
    )
    judge = BaselineJudge(
        case,
        baselines,
        gate_timer,
        gated_cases=lambda: 1,
        runtime=lambda: versions,
        timed=timed or (lambda _: None),
        keep_timings=keep_timings,
    )
    return judge(ENGINE, {}, SAMPLES)


def test_without_stored_measurements_the_samples_are_judged():
    """Nothing is measured then."""
    gate_timer = GateTimer([])
    verdict = judged(None, gate_timer)
    assert (verdict.code, verdict.figures["p50_ms"]) == ("no-baseline", 4.0)
    assert gate_timer.beside == []


@pytest.mark.parametrize("is_updating", [False, True])
def test_calls_that_put_out_something_else(is_updating):
    """They are neither compared nor stored, whichever measurement shows it."""
    wrong = Verdict("latency", "fail", "not-repeatable", "toy, the timed call: other outputs")
    seen = iter([None, wrong])
    gate_timer = GateTimer([look(0.9), look(0.9)])
    verdict = judged(entry(), gate_timer, is_updating=is_updating, timed=lambda _: next(seen))
    assert (verdict.judge, verdict.status) == ("baseline", "fail")
    assert (verdict.code, verdict.message) == (wrong.code, wrong.message)
    assert len(gate_timer.beside) == 2


def test_one_calm_measurement_is_enough():
    """It runs without the stored artefact."""
    gate_timer = GateTimer([look(0.01)])
    assert judged(entry(), gate_timer).code == "unchanged"
    assert gate_timer.beside == [""]


def test_what_was_compared_is_kept():
    """A report can draw the stored measurements and those of now that are usable, and whence."""
    verdict = judged(entry(), GateTimer([look(0.05), look(0.05, kept=4), *[look(0.06)] * 5]))
    compared = verdict.details["compared"]
    assert [each["theta"] for each in compared["stored"]] == [
        each.theta for each in entry().gate.measurements
    ]
    assert [each["theta"] for each in compared["now"]] == pytest.approx(
        [look(0.05).theta, *[look(0.06).theta] * 5]
    )
    assert compared["beside"] == "the reference net"
    assert compared["date"] == entry().provenance.date
    json.dumps(verdict.details, allow_nan=False)


def test_the_same_engine_that_became_slower_is_unexplained():
    """There are only the stored ratios to compare it with: it is reported, and does not fail."""
    gate_timer = GateTimer([look(0.05)] * 6)
    verdict = judged(entry(), gate_timer)
    assert (verdict.status, verdict.code) == ("inconclusive", "unexplained")
    assert verdict.message.startswith(
        "toy-ort-fp32-b1 is slower: 10.5 ms now, 10 ms stored (+5.0%); +5.0% against the reference "
        "net. Nothing that is known of it has changed: the artefact and the libraries are those "
        "that were stored. Look for what changed on the machine, or accept it with "
        "pytest suites --update-baselines: "
        "+5.00% against the reference net in 6 of 6 measurements"
    )
    assert gate_timer.beside == [""] * 6


@pytest.mark.parametrize("theta", [-1.5, 0.0, 2.0])
def test_a_stored_figure_that_contradicts_what_is_measured(theta):
    """The fixed kernel takes 10 ms / e^(1 + 2) = 0.498 ms, whatever the engine takes."""
    odd = [StoredMeasurement(theta, 2.0, 10.0, 12)] * 5
    verdict = judged(entry(measurements=odd), GateTimer([look()]))
    assert (verdict.status, verdict.code) == ("inconclusive", "odd-baseline")
    kernel_ms = {-1.5: "6.07", 0.0: "1.35", 2.0: "0.183"}[theta]
    assert verdict.message == (
        "toy-ort-fp32-b1 cannot be compared with its baseline: /b/toy.json: toy-ort-fp32-b1.gate."
        f"measurements[0]: theta {theta:g}, rho 2 and engine_ms 10 mean a fixed kernel of "
        f"{kernel_ms} ms, which takes 0.498 ms now; one of these figures is wrong, or the device "
        "is another: look at that file, or store it again with pytest suites --update-baselines"
    )


def test_a_large_change_is_told_in_both_ratios():
    """e^1 = 2.72 times the reference net then, twice that now; the kernel took as long."""
    gate_timer = GateTimer([look(1.0)] * 6)
    message = judged(entry(artefact=""), gate_timer).message
    assert (
        "the engine took 2.72 times as long as the reference net when it was stored (theta 1), and "
        "5.44 times now; is the stored figure right?"
    ) in message


def test_another_artefact_is_measured_beside_the_stored_one():
    """What was built otherwise than before has its predecessor beside it from the first look."""
    other = "f" * 32
    for duet, code in [(0.001, "unchanged"), (0.05, "regressed")]:
        gate_timer = GateTimer([look(0.05, duet=duet)] * 3)
        assert judged(entry(artefact=other), gate_timer).code == code
        assert set(gate_timer.beside) == {f"/kept/{other}"}


def test_an_engine_that_builds_no_files_is_judged_by_its_ratio():
    """Nothing says whether it is the same."""
    gate_timer = GateTimer([look(0.05)] * 6)
    assert judged(entry(artefact=""), gate_timer).code == "regressed"
    assert gate_timer.beside == [""] * 6


def test_another_version_of_the_library_is_no_duet():
    """The old artefact in a slower library would be as slow; the message names both versions."""
    gate_timer = GateTimer([look(0.05)] * 6)
    verdict = judged(entry(), gate_timer, versions={"onnxruntime": "1.32.0"})
    assert verdict.code == "regressed"
    assert gate_timer.beside == [""] * 6
    assert "since then: onnxruntime 1.31.1 -> 1.32.0" in verdict.message


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"threads": 2}, "its threads was 2, and is 1 now"),
        ({"clock": "cuda-event"}, "its clock was cuda-event, and is monotonic now"),
        ({"rounds": 100}, "its rounds was 100, and is 0 now"),
        ({"protocol": 0}, f"its protocol was 0, and is {PROTOCOL} now"),
    ],
)
def test_unlike_measurements_are_never_compared(change, why):
    """It is inconclusive, with the command that stores again; nothing is measured."""
    gate_timer = GateTimer([])
    verdict = judged(entry(**change), gate_timer)
    assert (verdict.status, verdict.code) == ("inconclusive", "unlike-key")
    assert verdict.message == (
        f"toy-ort-fp32-b1 cannot be compared with its baseline: {why}; "
        "store it again with pytest suites --update-baselines"
    )


def test_what_is_stored():
    """Five usable measurements, their setting and the artefact's name."""
    gate_timer = GateTimer([look(), look(kept=4), *[look(0.01)] * 4])
    verdict = judged(None, gate_timer, is_updating=True)
    assert (verdict.status, verdict.code) == ("new", "to-be-stored")
    gate = verdict.to_store.gate
    assert [each.theta for each in gate.measurements] == [1.0, *[1.00995] * 4]
    assert (gate.protocol, gate.clock, gate.threads) == (PROTOCOL, "monotonic", 1)
    assert gate.artefact == verdict.artefact == ARTEFACT
    assert not verdict.to_store.renews


def test_a_noisy_device_stores_nothing():
    """Twelve tries without five usable ones are inconclusive."""
    verdict = judged(None, GateTimer([look(kept=4)] * 12), is_updating=True)
    assert (verdict.status, verdict.code) == ("inconclusive", "inconclusive-noisy")
    assert (verdict.to_store, verdict.artefact) == (None, ARTEFACT)


def test_a_throttled_device_stores_nothing():
    """That the device slowed itself down is told apart from noise."""
    hot = Measurement(1.0, 2.0, 10.0, 4, dropped={"thermal": 8})
    verdict = judged(None, GateTimer([look(kept=4), *[hot] * 11]), is_updating=True)
    assert (verdict.status, verdict.code) == ("inconclusive", "inconclusive-throttled")
    assert verdict.message.endswith("run again on a quiet, cool device")


def test_what_others_disturb_is_not_stored():
    """One measurement beside another process is enough to refuse; the message names it."""
    beside = replace(look(), environment={"foreign_processes": ["pid 7 (python), 512 MiB"]})
    verdict = judged(None, GateTimer([look(), beside]), is_updating=True)
    assert (verdict.status, verdict.code) == ("inconclusive", "inconclusive-foreign")
    assert verdict.message == (
        "toy-ort-fp32-b1 will not be stored: others are on the GPU: pid 7 (python), 512 MiB; "
        "end them, or choose another GPU by --infer-device"
    )
    assert verdict.to_store is None


def test_others_that_are_unknown_are_no_reason():
    """A driver that hides processes does not keep baselines from being stored."""
    hidden = replace(look(), environment={"foreign_processes": None})
    assert judged(None, GateTimer([hidden] * 5), is_updating=True).code == "to-be-stored"


def test_improved_is_renewed():
    """Five more measurements are stored, and none of those that looked good first."""
    gate_timer = GateTimer([look(-0.1)] * 3 + [look(-0.08)] * 5)
    verdict = judged(entry(), gate_timer, renews=True)
    assert (verdict.status, verdict.code) == ("new", "to-be-stored")
    assert verdict.to_store.renews
    thetas = [each.theta for each in verdict.to_store.gate.measurements]
    assert thetas == [round(1 + log(0.92), 6)] * 5
    assert verdict.message.startswith(
        "toy-ort-fp32-b1 improved: 9 ms now, 10 ms stored (-10.0%); -10.0% against "
    )


def test_improved_without_being_asked():
    """The entry stays; the verdict says how to keep what was gained."""
    verdict = judged(entry(), GateTimer([look(-0.1)] * 3))
    assert (verdict.status, verdict.code) == ("pass", "improved")
    assert (verdict.to_store, verdict.artefact) == (None, ARTEFACT)


def test_improved_by_chance():
    """Measurements that do not show it again are not stored."""
    gate_timer = GateTimer([look(-0.1)] * 3 + [look(0.01)] * 5)
    verdict = judged(entry(), gate_timer, renews=True)
    assert (verdict.status, verdict.code) == ("pass", "improved")
    assert verdict.to_store is None
    assert verdict.message.endswith(
        "; not stored: a second measurement did not confirm the speed-up"
    )


def test_improved_and_then_noisy():
    """Without five usable measurements nothing is stored."""
    gate_timer = GateTimer([look(-0.1)] * 3 + [look(kept=4)] * 12)
    verdict = judged(entry(), gate_timer, renews=True)
    assert (verdict.status, verdict.code) == ("inconclusive", "inconclusive-noisy")


@pytest.mark.parametrize(
    ("change", "artefact", "code"),
    [
        (0.1, ARTEFACT, "unexplained"),
        (0.1, "", "regressed"),
        (0.0, ARTEFACT, "unchanged"),
    ],
)
def test_nothing_else_is_renewed(change, artefact, code):
    """Neither a regression nor what is unchanged is ever stored."""
    verdict = judged(entry(artefact=artefact), GateTimer([look(change)] * 6), renews=True)
    assert verdict.code == code
    assert verdict.to_store is None


@pytest.mark.parametrize(
    ("setting", "share", "stored", "terms"),
    [
        (Setting("monotonic", 1, 4, 0), None, "", SHARED_CPU),
        (Setting("monotonic", 0, 8, 0), None, "", CPU),
        (Setting("cuda-event", 0, 0, 0), 0.1, "GPU-1", GPU),
        (Setting("cuda-event", 0, 0, 0), 0.1, "GPU-2", OTHER_GPU),
        (Setting("cuda-event", 0, 0, 0), 0.1, "", OTHER_GPU),
        (Setting("cuda-event", 0, 0, 0), 0.8, "GPU-2", LAUNCH_BOUND),
    ],
)
def test_terms_are_the_devices(setting, share, stored, terms):
    """A GPU that waits for launches has separate terms, and so has another one of its model."""
    environment = {"uuid": "GPU-1"} if setting.clock == "cuda-event" else {}
    measurement = Measurement(1.0, 2.0, 10.0, 12, enqueue_share=share, environment=environment)
    gate = gate_of(10.0, gpu=stored)
    assert terms_of(setting, measurement, gate) is terms
    is_other = terms is OTHER_GPU
    assert terms_of(setting, measurement, gate, is_tuned=True).by_kernel == (
        is_other or terms.by_kernel
    )


@pytest.mark.parametrize(("engine_ms", "terms"), [(10.04, GPU), (10.06, OTHER_CLOCK)])
def test_terms_at_another_clock(engine_ms, terms):
    """The fixed kernel took 0.5 % longer: its cycles are fixed, and the clock is another."""
    environment = {"uuid": "GPU-1"}
    measurement = Measurement(1.0, 2.0, engine_ms, 12, enqueue_share=0.1, environment=environment)
    found = terms_of(Setting("cuda-event", 0, 0, 0), measurement, gate_of(10.0, gpu="GPU-1"))
    assert found is terms


def gate_of(engine_ms, **changes):
    """Return what a baseline holds of five measurements that are alike."""
    measurements = [StoredMeasurement(1.0, 2.0, engine_ms, 12)] * 5
    return Gate(PROTOCOL, "cuda-event", 0, measurements, **changes)


@pytest.mark.parametrize(
    ("uuids", "stored"), [(["GPU-1"] * 5, "GPU-1"), (["GPU-1", "GPU-2"] * 3, ""), ([""] * 5, "")]
)
def test_the_gpu_is_stored(uuids, stored):
    """Measurements of one GPU are stored with its UUID, those of several or of none without."""
    looks = [replace(look(), environment={"uuid": uuid}) for uuid in uuids]
    gate = judged(None, GateTimer(looks), is_updating=True).to_store.gate
    assert gate.gpu == stored


@pytest.mark.parametrize(
    ("case", "stored", "change", "code"),
    [
        (TUNED, {"content": CONTENT}, 0.035, "unexplained"),  # the very plan: the machine's doing
        (TUNED, {"content": "cd" * 32}, 0.028, "unchanged"),  # the builder's spread
        (TUNED, {"content": "cd" * 32}, 0.05, "regressed"),
        (TUNED, {}, 0.05, "regressed"),  # stored before there was a digest
        (CASE, {"content": "cd" * 32}, 0.05, "unexplained"),  # nothing is chosen by timing here
    ],
)
def test_a_plan_that_was_built_again(case, stored, change, code):
    """It is another one if its builder timed kernels anew, and is slower by its builder's doing."""
    verdict = judged(entry(**stored), GateTimer([look(change)] * 6, case=case), case=case)
    assert verdict.code == code
    is_rebuilt = case is TUNED and stored.get("content") != CONTENT
    assert ("built again, and its builder has chosen anew" in verdict.message) == is_rebuilt


@pytest.mark.parametrize(("case", "kept"), [(TUNED, "ef" * 32), (CASE, "")])
def test_timings_are_kept_with_what_is_stored(case, kept):
    """Only of a builder that times kernels; the entry has their digest."""
    verdict = judged(
        None,
        GateTimer([look()] * 5, case=case),
        is_updating=True,
        case=case,
        keep_timings=lambda: "ef" * 32,
    )
    assert verdict.to_store.gate.content == CONTENT
    assert verdict.to_store.gate.timings == kept


def test_timings_are_not_kept_of_what_is_not_stored():
    """Nothing was usable."""
    calls = []
    gate_timer = GateTimer([look(kept=1)] * 12, case=TUNED)
    verdict = judged(
        None, gate_timer, is_updating=True, case=TUNED, keep_timings=lambda: calls.append(1)
    )
    assert (verdict.code, calls) == ("inconclusive-noisy", [])


@pytest.mark.parametrize(
    ("artefact", "versions", "is_told"),
    [
        ("1" * 32, VERSIONS, True),
        (ARTEFACT, VERSIONS, False),
        ("", VERSIONS, False),  # nothing is built
        ("1" * 32, {"onnxruntime": "1.32.0"}, False),  # the version makes it another one
    ],
)
def test_another_artefact_is_named(artefact, versions, is_told):
    """Weights that were swapped pass where they are as fast, and the message says so."""
    verdict = judged(entry(artefact=artefact), GateTimer([look()]), versions=versions)
    assert verdict.code == "unchanged"
    assert (
        "the model, its weights, a setting or the adapter has changed" in verdict.message
    ) == is_told
