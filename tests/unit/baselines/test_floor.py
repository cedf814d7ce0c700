"""The judge of baselines without the gate: floors, and what is missing."""

from pathlib import Path

import pytest

from pytest_infer.baselines.entry import Entry, Measured
from pytest_infer.baselines.floor import judge_floor
from pytest_infer.baselines.folder import Baselines
from pytest_infer.baselines.search import resolve
from pytest_infer.baselines.store import update
from pytest_infer.case import Case
from pytest_infer.errors import TimingError

SHIPPED = Path(__file__).parents[3] / "baselines"
GTX1070 = resolve("gtx1070", [SHIPPED])
H200 = {"kind": "cuda", "name": "NVIDIA H200"}
CASE = Case("resnet50", "ort", "fp32", 1, "cuda")
DETR = Case("detr_resnet50", "ort", "fp16", 1, "cpu")
COMMAND = (
    "pytest-infer run --update-baselines --gpu-baseline=h200 --engine=ort "
    "--infer-model=resnet50 --infer-precision=fp32 --infer-batch=1"
)
ARTICLE = (
    'detr_resnet50-eager-fp32-b1 in gtx1070 (published: article "Inference Engine", '
    'section "Use TorchScript": DETR-ResNet50 on a GeForce GTX 1070)'
)


@pytest.fixture
def stored(tmp_path):
    """Return baselines in which ResNet-50 takes 2 ms."""
    provenance = Measured(device="NVIDIA H200", date="2026-01-02", command="pytest suites")
    figures = {"p50_ms": 2.0, "throughput_per_s": 500.0}
    update(tmp_path / "h200", H200, {CASE: Entry(figures=figures, provenance=provenance)})
    return Baselines(tmp_path / "h200")


@pytest.mark.parametrize(("is_named", "status"), [(True, "fail"), (False, "new")])
def test_an_entry_without_measurements_is_not_compared(stored, is_named, status):
    """A median alone is no baseline of the same device; the message says how to renew it."""
    figures = {"p50_ms": 2.0}
    verdict = judge_floor(CASE, figures, stored, same_device=True, is_named=is_named)
    assert (verdict.judge, verdict.status, verdict.code) == ("baseline", status, "no-measurements")
    assert verdict.message.startswith("h200 has no gate measurements of resnet50-ort-fp32-b1")
    assert verdict.message.endswith(COMMAND)


@pytest.mark.parametrize(
    ("rate", "status", "code"), [(500.0, "pass", "above-floor"), (499.0, "fail", "below-floor")]
)
def test_another_devices_baseline_is_a_floor(stored, rate, status, code):
    """Measured elsewhere, a figure is only at least to be reached."""
    figures = {"p50_ms": 9.0, "throughput_per_s": rate}
    verdict = judge_floor(CASE, figures, stored, same_device=False)
    assert (verdict.status, verdict.code) == (status, code)


def test_any_engine_must_beat_the_published_eager():
    """DETR under ONNX Runtime in fp16 is judged by the article's eager figure, named as such."""
    slow = judge_floor(DETR, {"throughput_per_s": 1.23}, GTX1070, same_device=False)
    assert (slow.status, slow.code) == ("fail", "below-floor")
    assert slow.message == (
        "detr_resnet50-ort-fp16-b1 is slower than the floor\n"
        f"  why:  throughput_per_s 1.23 against 11.22 of {ARTICLE}\n"
        "  mend: use a faster engine, precision or device, or choose another --gpu-baseline"
    )
    fast = judge_floor(DETR, {"throughput_per_s": 11.22}, GTX1070, same_device=True)
    assert (fast.status, fast.code) == ("pass", "above-floor")
    assert fast.message == (
        "detr_resnet50-ort-fp16-b1 is at least as fast as the floor: "
        f"throughput_per_s 11.22 against 11.22 of {ARTICLE}"
    )


@pytest.mark.parametrize(
    ("case", "whose"),
    [
        (CASE, "resnet50"),
        (Case("detr_resnet50", "ort", "fp32", 2, "cpu"), "detr_resnet50 at batch 2"),
    ],
)
def test_what_was_not_published_is_new(case, whose):
    """A model or batch without a published figure is new, and the message lists what there is."""
    verdict = judge_floor(case, {"throughput_per_s": 1.0}, GTX1070, same_device=False)
    assert (verdict.status, verdict.code) == ("new", "not-published")
    assert verdict.message == (
        f"{whose} has no published figure in gtx1070, which has: detr_resnet50-eager-fp32-b1, "
        "detr_resnet50-eager-fp32-b16, detr_resnet50-eager-fp32-b4, detr_resnet50-eager-fp32-b8"
    )


def test_a_named_baseline_without_the_entry_fails(stored):
    """What a person asked to compare with, and cannot be, is a failure with its mend."""
    case = Case("resnet50", "ort", "fp32", 8, "cuda")
    verdict = judge_floor(case, {"p50_ms": 1.0}, stored, same_device=True)
    assert (verdict.status, verdict.code) == ("fail", "no-baseline")
    assert verdict.message == (
        "resnet50-ort-fp32-b8 has no baseline in h200\n"
        "  why:  stored are: resnet50-ort-fp32-b1\n"
        f"  mend: measure and store it: {COMMAND[:-1]}8"
    )
    elsewhere = judge_floor(case, {"p50_ms": 1.0}, stored, same_device=False)
    assert "mend: measure and store it on NVIDIA H200: pytest" in elsewhere.message


def test_measured_baselines_never_borrow_eagers_figure(stored):
    """Among measured figures each engine is compared with itself only."""
    eager = Case("resnet50", "eager", "fp32", 1, "cuda")
    update(stored.folder, H200, {eager: stored.read("resnet50")[CASE.id]})
    case = Case("resnet50", "trt", "fp32", 1, "cuda")
    assert judge_floor(case, {"p50_ms": 1.0}, stored, same_device=True).code == "no-baseline"


def test_auto_without_an_entry_or_a_baseline_is_new(stored):
    """Nothing was asked for, so nothing fails; the message says how to store one."""
    other = Case("resnet50", "ort", "fp32", 8, "cuda")
    unnamed = judge_floor(other, {"p50_ms": 1.0}, stored, same_device=True, is_named=False)
    assert (unnamed.status, unnamed.code) == ("new", "no-baseline")
    assert unnamed.message == (
        f"resnet50-ort-fp32-b8 is not in h200 yet: store it with {COMMAND[:-1]}8"
    )
    none = judge_floor(CASE, {"p50_ms": 1.0}, None, same_device=False)
    assert (none.status, none.code) == ("new", "no-baseline")
    assert none.message == (
        "resnet50-ort-fp32-b1 has no baseline: store one with "
        + COMMAND.replace(" --gpu-baseline=h200", "")
    )


def test_a_figure_that_was_not_measured_is_an_error(stored):
    """A verdict cannot come from a figure that is absent."""
    with pytest.raises(TimingError) as caught:
        judge_floor(CASE, {"mae": 0.1}, stored, same_device=False)
    assert str(caught.value) == (
        "cannot compare resnet50-ort-fp32-b1 with h200\n"
        "  why:  throughput_per_s was not measured; there are: mae\n"
        "  mend: pass what Samples.figures returns"
    )


UNSTATED = resolve("unstated-gpu", [SHIPPED])
A100 = resolve("a100", [SHIPPED])
TENSORRT = Case("resnet50", "trt", "fp16", 1, "cuda")


@pytest.mark.parametrize(("mean_ms", "code"), [(1.48, "above-floor"), (1.49, "below-floor")])
def test_copies_are_compared_with_copies(mean_ms, code):
    """The article's 1.48 ms are a floor for a mean with copies, and not for a median without."""
    figures = {"p50_ms": 0.3, "throughput_per_s": 3333.0, "round_trip_mean_ms": mean_ms}
    verdict = judge_floor(TENSORRT, figures, UNSTATED, same_device=False)
    assert (verdict.code, verdict.figures["baseline_round_trip_mean_ms"]) == (code, 1.48)


@pytest.mark.parametrize(
    ("baselines", "case", "told"),
    [
        (UNSTATED, TENSORRT, "mae 0.00590712, round_trip_mean_ms 1.48, speedup 3.71"),
        (UNSTATED, CASE, "resnet50-eager-fp32-b1 there has enqueue_mean_ms 5.5"),
        (A100, Case("efficientnet_b0_timm", "torch-trt", "fp16", 1, "cuda"), "speedup 6"),
    ],
)
def test_another_kind_of_figure_is_compared_with_nothing(baselines, case, told):
    """It is neither kept nor missed, and the message has what the article says of it."""
    figures = {"p50_ms": 0.3, "throughput_per_s": 3333.0}
    verdict = judge_floor(case, figures, baselines, same_device=False)
    assert (verdict.status, verdict.code) == ("new", "not-published")
    assert verdict.message.startswith(f"{case.id} is not compared with {baselines.name}: ")
    assert f"{told}, which this test has not timed; " in verdict.message


def test_no_device_is_called_as_an_article_calls_it():
    """NVML's names of A100s are longer, and a device that is not stated is none."""
    for found in (A100, UNSTATED):
        for name in ("NVIDIA A100-SXM4-80GB", "NVIDIA A100 80GB PCIe", "NVIDIA H200"):
            assert found.fingerprint != {"kind": "cuda", "name": name}
            assert found.is_published
