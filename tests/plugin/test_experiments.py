"""Tests that declare their own cases, and the experiments that a run of the suites leaves out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

SUITES = Path(__file__).parents[2] / "pytest_infer" / "suites"

OWN = """
import pytest

@pytest.mark.experiment({keywords})
def test_own(engine, feeds, gpu_timer, latency, enforce):
    enforce(latency(gpu_timer(engine, feeds, warmup=2, calls=7)))
"""

TOY = """
from pytest_infer import TensorSpec, model

@model(
    inputs={"x": TensorSpec(("batch", 4))}, outputs={"y": TensorSpec(("batch", 2))}, is_listed=False
)
def toy():
    import torch; return torch.nn.Linear(4, 2)
"""

QUICK = ("--infer-device=cpu", "-p", "no:cacheprovider")


@pytest.fixture
def clone(pytester: pytest.Pytester) -> Run:
    """Collect in a folder with the suites, as a clone has them."""
    pytester.makeini("[pytest]\naddopts = --import-mode=importlib --strict-markers\n")
    (pytester.path / "suites").symlink_to(SUITES)

    def call(*options: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess(*options, *QUICK, "--collect-only", "-q")

    return call


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Run a test that declares its cases, on a model that is no part of the matrix."""
    pytester.makeini("[pytest]\naddopts = --import-mode=importlib\ninfer_cache = off\n")
    pytester.makeconftest(TOY)

    def call(keywords: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_own=OWN.format(keywords=keywords))
        return pytester.runpytest_subprocess(*QUICK, *options)

    return call


def collected(result: pytest.RunResult) -> list[str]:
    """Return the ids of the tests that were collected."""
    return [line for line in result.outlines if re.match(r"\S+\.py::", line)]


def test_left_out_and_said(clone: Run) -> None:
    """The suites beside the folder run, and the summary names what runs the folder."""
    result = clone("suites", "--engine=eager", "--infer-model=resnet50")
    ids = collected(result)
    assert any("test_parity" in each for each in ids)
    assert not [each for each in ids if "seeds" in each]
    result.stdout.fnmatch_lines(["5 experiments of the articles left to: pytest suites/seeds"])


def test_left_out_by_name(clone: Run) -> None:
    """The package's name leaves them out too, and they have theirs."""
    result = clone("--pyargs", "pytest_infer.suites", "--engine=eager", "--infer-model=resnet50")
    assert not [each for each in collected(result) if "seeds" in each]
    told = "5 experiments of the articles left to: pytest --pyargs pytest_infer.suites.seeds"
    result.stdout.fnmatch_lines([told])


def test_left_out_by_workers(clone: Run, pytester: pytest.Pytester) -> None:
    """Workers collect, and the controller says it once."""
    del clone
    pytester.makepyfile(test_quick="def test_case(case): pass")
    options = ("test_quick.py", "suites", "-k", "test_case", "-n2", "--engine=eager")
    result = pytester.runpytest_subprocess(*options, "--infer-model=resnet50", *QUICK)
    result.assert_outcomes(passed=1)
    lines = [each for each in result.outlines if "experiments of the articles" in each]
    assert lines == ["5 experiments of the articles left to: pytest suites/seeds"]


@pytest.mark.parametrize(
    "asked", [("suites/seeds",), ("--pyargs", "pytest_infer.suites.seeds"), ("suites/seeds/",)]
)
def test_asked_for(clone: Run, asked: tuple[str, ...]) -> None:
    """The cases are the articles', whatever the run's own batches and precisions are."""
    result = clone(*asked)
    ids = [each.rpartition("seeds/")[2] for each in collected(result)]
    for batch in (1, 4, 8, 16):
        assert f"test_000_detr.py::test_article[detr_resnet50-eager-fp32-b{batch}]" in ids
        assert f"test_000_detr.py::test_in_turns[detr_resnet50-torchscript-fp32-b{batch}]" in ids
    mobilenet = "test_002_mobilenet_v2.py::test_article[mobilenet_v2_scratch-"
    assert f"{mobilenet}eager-fp32-b1]" in ids
    timm = "test_003_efficientnet_b0.py::test_article[efficientnet_b0_timm-"
    assert {each for each in ids if each.startswith(timm)} == {
        f"{timm}eager-fp32-b1]",
        f"{timm}torchscript-fp32-b1]",
    }
    assert "test_004_resnet50.py::test_consistency[resnet50-eager-fp32-b1]" in ids
    text = result.stdout.str()
    assert "experiments of the articles" not in text
    for name in ("detr_resnet50 on trt in fp32 (4 cases)", "resnet50 on trt in fp16 (1 case)"):
        assert f"could not run: {name}: " in text
    assert "could not run: efficientnet_b0_timm on torch-trt in fp16 (1 case): " in text
    told = "efficientnet_b0_timm-eager-fp32-b1 runs without cudnn_benchmark, which only a GPU has"
    assert f"notice: {told}" in text


def test_one_experiment(clone: Run) -> None:
    """A file of the folder is asked for by its path, and chosen from by options."""
    result = clone("suites/seeds/test_000_detr.py", "--infer-batch=4,8", "--engine=eager")
    assert [each.rpartition("-")[2] for each in collected(result)] == ["b4]", "b4]", "b8]", "b8]"]
    assert "could not run" not in result.stdout.str()


def test_another_folder_of_that_name(pytester: pytest.Pytester) -> None:
    """A user's own seeds are collected."""
    (pytester.path / "seeds").mkdir()
    (pytester.path / "seeds" / "test_own.py").write_text("def test_own(): pass\n")
    pytester.runpytest_subprocess(*QUICK).assert_outcomes(passed=1)


@pytest.mark.nightly
def test_own_cases_and_protocol(run: Run, pytester: pytest.Pytester) -> None:
    """A test gets the cases that it declares, of an unlisted model too, and its own protocol."""
    keywords = "models='toy', engines=('eager-fp32', 'eager-fp64', 'trt-fp32'), batches=(1, 3)"
    result = run(keywords, "--infer-report=json:report.json")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["4 of 4 checks ran*", "could not run: toy on trt in fp32 (2 *"])
    report = json.loads((pytester.path / "report.json").read_text())
    assert [each["case_id"] for each in report["records"]] == [
        "toy-eager-fp32-b1",
        "toy-eager-fp32-b3",
        "toy-eager-fp64-b1",
        "toy-eager-fp64-b3",
    ]
    for each in report["records"]:
        samples = each["details"]["samples"]
        assert (samples["warmup_calls"], samples["calls"]) == (2, 7)


def test_the_user_chooses(run: Run) -> None:
    """Named batches and precisions choose among the declared cases."""
    keywords = "models='toy', engines=('eager-fp32', 'eager-fp64'), batches=(1, 3)"
    options = ("--infer-batch=3", "--infer-precision=fp64", "-v", "--infer-calls=1")
    result = run(keywords, *options)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_own?toy-eager-fp64-b3? PASSED*"])


def test_nothing_left(run: Run) -> None:
    """A test without a case left is counted and named."""
    result = run("models='toy', engines='eager-fp32'", "--infer-batch=3")
    result.stdout.fnmatch_lines(["no case of this run fits the marks of: test_own.py::test_own"])


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (
            "models='toy', engine='eager-fp32'",
            (
                "ERROR: {mark}: unknown keyword 'engine'\n"
                "  why:  valid choices: batches, engines, models\n"
                "  mend: did you mean 'engines'?"
            ),
        ),
        (
            "models='toy'",
            (
                "ERROR: {mark}: it has no engines\n"
                "  why:  an experiment declares its cases: models, engines in a precision, "
                "batches\n"
                "  mend: write @pytest.mark.experiment(models='resnet50', engines=('ort-fp32',))"
            ),
        ),
        (
            "models='toi', engines='eager-fp32'",
            "ERROR: {mark}: unknown model 'toi'\n",
        ),
        (
            "models='toy', engines='eager-fp32', batches=0",
            "ERROR: {mark}: cannot use batch 0\n",
        ),
        (
            "models='toy', engines='eager-fp32+graph'",
            ("ERROR: {mark}: unknown option of eager 'graph'\n"),
        ),
    ],
)
def test_what_a_mark_gets_wrong(run: Run, keywords: str, message: str) -> None:
    """It is an error that names the test, before anything runs."""
    mark = "@pytest.mark.experiment of test_own.py::test_own"
    result = run(keywords)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message.replace("{mark}", mark) in result.stderr.str()
