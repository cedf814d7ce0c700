"""Options that make no sense are usage errors that say what, why and the mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.plugin.options import read_config

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

USAGE_ERROR = 4


def _error(result: pytest.RunResult) -> str:
    """Return what pytest printed as its error; there must be no traceback."""
    assert result.ret == USAGE_ERROR
    text: str = result.stderr.str().strip()
    assert "Traceback" not in text
    assert "Traceback" not in result.stdout.str()
    return text


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "--engine=ortt",
            (
                "ERROR: unknown engine 'ortt'\n"
                "  why:  valid choices: all, auto, compile, eager, openvino, ort, torch-trt, "
                "torchscript, trt, tvm\n"
                "  mend: did you mean 'ort'?"
            ),
        ),
        (
            "--infer-precision=fp61",
            (
                "ERROR: unknown precision 'fp61'\n"
                "  why:  valid choices: bf16, fp16, fp32, fp64, int8, tf32\n"
                "  mend: did you mean 'fp64'?"
            ),
        ),
        (
            "--infer-batch=0",
            (
                "ERROR: --infer-batch=0 is not valid\n"
                "  why:  it takes whole numbers from 1 to 1000000: no device has the memory for "
                "more rows\n"
                "  mend: for example --infer-batch=8"
            ),
        ),
        (
            "--infer-timeout=soon",
            (
                "ERROR: --infer-timeout=soon is not valid\n"
                "  why:  it takes a positive number of seconds, at most 31536000: a year, and no "
                "call takes longer\n"
                "  mend: for example --infer-timeout=600"
            ),
        ),
        (
            "--infer-device=gpu",
            (
                "ERROR: unknown device 'gpu'\n"
                "  why:  valid choices: auto, cpu, cuda, cuda:0\n"
                "  mend: did you mean 'cpu'?"
            ),
        ),
        (
            "--infer-host=ort",
            (
                "ERROR: --infer-host=ort is not valid\n"
                "  why:  it takes ENGINE=SPEC, where SPEC is an execnet specification or 'inline'\n"
                "  mend: for example --infer-host=ort=popen//python=/opt/ort/bin/python"
            ),
        ),
        (
            "--infer-unquantized=node_1",
            (
                "ERROR: --infer-unquantized=node_1 is not valid\n"
                "  why:  it takes MODEL=NODE\n"
                "  mend: for example --infer-unquantized=mobilenet_v2=node_Conv_810"
            ),
        ),
        (
            "--infer-weights=/missing",
            (
                "ERROR: --infer-weights=/missing is not a folder\n"
                "  why:  there is nothing at /missing\n"
                "  mend: name a folder that exists (or one of: seeded, pretrained, random)"
            ),
        ),
        (
            "--infer-report=pdf:x",
            (
                "ERROR: unknown report 'pdf'\n"
                "  why:  valid choices: github, gitlab, history, html, json, md\n"
                "  mend: choose one of: github, gitlab, history, html, json, md"
            ),
        ),
        (
            "--infer-calls=1,2",
            (
                "ERROR: --infer-calls=1,2 is not valid\n"
                "  why:  it takes whole numbers from 1 to 1000000: the duration of each is kept\n"
                "  mend: for example --infer-calls=8"
            ),
        ),
    ],
)
def test_bad_value(bare_run: Run, option: str, message: str) -> None:
    """Each bad value is refused before anything is collected, naming the nearest valid one."""
    assert _error(bare_run(option)) == message


def test_unknown_model(bare_run: Run, pytester: pytest.Pytester) -> None:
    """The error names the files that were loaded, and the nearest name."""
    assert _error(bare_run("--infer-model=toyy")) == (
        "ERROR: unknown model 'toyy'\n"
        "  why:  valid choices: detr_resnet50, efficientnet_b0, mobilenet_v2, resnet50, toy\n"
        f"        conftest.py files loaded: {pytester.path / 'conftest.py'}\n"
        "  mend: did you mean 'toy'?\n"
        "        or also name the folder of the conftest.py that registers it"
    )


def test_ini_twin_is_checked_too(bare_run: Run, pytester: pytest.Pytester) -> None:
    """An ini value is read as the option is."""
    pytester.makeini("[pytest]\ninfer_engine = ortt\n")
    result = bare_run("--infer-model=toy")
    assert _error(result).startswith("ERROR: unknown engine 'ortt'\n")


def test_command_line_goes_before_ini(run: Run, pytester: pytest.Pytester) -> None:
    """An option replaces its ini twin."""
    pytester.makeini("[pytest]\ninfer_engine = eager\ninfer_precision = fp16, bf16\n")
    listed = run("--infer-precision=fp32", "--collect-only", "-q").stdout.str()
    assert "test_outputs[toy-eager-fp32-b1]" in listed
    assert "fp16" not in listed
    assert "ort" not in listed.replace("report", "")


def test_unknown_baseline(bare_run: Run, pytester: pytest.Pytester) -> None:
    """A baseline's name is looked up in the user's folder and in the shipped ones."""
    (pytester.path / "baselines/mine").mkdir(parents=True)
    (pytester.path / "baselines/mine/device.json").write_text(
        '{"schema": 1, "holds": "measured", "fingerprint": {"kind": "cpu", "name": "mine"}}'
    )
    assert _error(bare_run("--gpu-baseline=mime")) == (
        "ERROR: unknown baseline 'mime'\n"
        "  why:  valid choices: a100, gtx1070, h200, mine, unstated-gpu\n"
        "  mend: did you mean 'mine'?"
    )


def test_broken_baseline(bare_run: Run, pytester: pytest.Pytester) -> None:
    """A baseline file that cannot be read is named, with the place in it."""
    folder = pytester.path / "baselines/mine"
    folder.mkdir(parents=True)
    (folder / "device.json").write_text(
        '{"schema": 1, "holds": "measured", "fingerprint": {"kind": "cpu", "name": "mine"}}'
    )
    (folder / "toy.json").write_text('{"schema": 1, "model": "toy", "entries": {')
    error = _error(bare_run("--gpu-baseline=mine"))
    assert error.startswith(f"ERROR: cannot read {folder / 'toy.json'}\n  why:  ")
    assert "\n  mend: " in error


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (
            'infer(model="toy")',
            (
                "ERROR: @pytest.mark.infer of test_own.py::test_it: unknown keyword 'model'\n"
                "  why:  valid choices: batched, batches, engines, formats, models, once, "
                "precisions, tasks, with_task\n"
                "  mend: did you mean 'models'?"
            ),
        ),
        (
            'infer(engines="ortt")',
            (
                "ERROR: @pytest.mark.infer of test_own.py::test_it: unknown engine 'ortt'\n"
                "  why:  valid choices: compile, eager, openvino, ort, torch-trt, torchscript, "
                "trt, tvm\n"
                "  mend: did you mean 'ort'?"
            ),
        ),
        (
            'infer("toy")',
            (
                "ERROR: @pytest.mark.infer of test_own.py::test_it has positional arguments\n"
                "  why:  it takes keywords only\n"
                "  mend: write @pytest.mark.infer(keyword=value)"
            ),
        ),
        (
            "latency_budget(p50=2)",
            (
                "ERROR: @pytest.mark.latency_budget of test_own.py::test_it: unknown keyword of "
                "@pytest.mark.latency_budget 'p50'\n"
                "  why:  valid choices: p50_ms, p50_over_baseline, p90_ms, p99_ms, speedup, "
                "throughput_per_s\n"
                "  mend: did you mean 'p50_ms'?"
            ),
        ),
        (
            "tolerance(mea=1)",
            (
                "ERROR: @pytest.mark.tolerance of test_own.py::test_it: unknown keyword of "
                "@pytest.mark.tolerance 'mea'\n"
                "  why:  valid choices: box_px, changed_pixels, changed_tokens, cosine, gain, mae, "
                "max_abs, miou, relative_l2, rmse, score, similarity, softmax_kl, sqnr_db, "
                "target_error, top_k\n"
                "  mend: did you mean 'mae'?"
            ),
        ),
    ],
)
def test_bad_mark(run: Run, pytester: pytest.Pytester, mark: str, message: str) -> None:
    """A mark's keyword or value that is unknown names the test and the nearest valid one."""
    pytester.makepyfile(test_own=f"import pytest\n@pytest.mark.{mark}\ndef test_it(engine): pass")
    assert _error(run()) == message


def test_engine_that_cannot_run(bare_run: Run) -> None:
    """An engine that was asked for by name and cannot run here is refused with its mend."""
    error = _error(bare_run("--engine=eager", "--infer-device=cuda:0"))
    assert error == (
        "ERROR: cannot use device cuda:0\n"
        "  why:  no NVIDIA GPU: the driver (libnvidia-ml) is absent or shows no device\n"
        "  mend: run on a machine with an NVIDIA GPU and its driver, or name one by --infer-host"
    )


def test_nothing_left(run: Run) -> None:
    """A matrix without a case is an error, never a run of no tests."""
    assert _error(run("--engine=ort", "--infer-precision=fp16")) == (
        "ERROR: no case is left to test\n"
        "  why:  ort in fp16: on cpu, ort runs fp32, int8\n"
        "  mend: --infer-precision=fp32"
    )


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--update-baselines", "all"),
        ("--update-baselines=new", "new"),
        ("--update-baselines=improved", "improved"),
    ],
)
@pytest.mark.parametrize("order", ["{flag} new", "new {flag}"])
def test_update_takes_no_path(pytester: pytest.Pytester, flag: str, value: str, order: str) -> None:
    """What stands beside the option is a path, even one that is called as a mode is."""
    pytester.mkdir("new").joinpath("test_it.py").touch()
    config = pytester.parseconfig(*order.format(flag=flag).split())
    assert config.args == ["new"]
    assert config.getoption("infer_update_baselines") == value


def test_update_by_ini(pytester: pytest.Pytester) -> None:
    """Its ini twin takes the modes and a flag's words."""
    for text, update in (("new", "new"), ("true", "all"), ("false", None)):
        pytester.makeini(f"[pytest]\ninfer_update_baselines = {text}\n")
        assert read_config(pytester.parseconfig()).update == update


def test_unknown_update(bare_run: Run) -> None:
    """Another mode is refused with those that there are."""
    error = _error(bare_run("--update-baselines=newer"))
    assert error.splitlines()[1].endswith(
        "error: argument --update-baselines/--update-baselines=new/--update-baselines=improved: "
        "ignored explicit argument 'newer'"
    )
