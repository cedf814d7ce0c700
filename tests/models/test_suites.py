"""The suites of this repository pass on every engine that runs on a CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
ENGINES = {
    "eager": "torch",
    "torchscript": "torch",
    "compile": "torch",
    "ort": "onnxruntime",
    "openvino": "openvino",
    "tvm": "tvm",
}
"""The module that each engine needs."""
MODELS = ("resnet50", "mobilenet_v2", "efficientnet_b0", "detr_resnet50")
SMALL = ("mobilenet_v2",)
"""The models on which engines run by day."""
SLOW = ("compile", "tvm")
"""Engines that take seconds a call or a minute a build: they run by night, and apart."""

pytestmark = pytest.mark.slow


Records = list[dict[str, Any]]


def run_suites(path: Path, cache: Path, engines: Sequence[str], models: Sequence[str]) -> Records:
    """Return the records of one run of parity and truth, of which no check was lost."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and options
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2"),
            *("suites/test_parity.py", "suites/test_truth.py", f"--infer-report=json:{path}"),
            *(f"--engine={','.join(engines)}", f"--infer-model={','.join(models)}"),
            *("--infer-device=cpu", f"--infer-cache={cache}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    content = json.loads(path.read_text())
    assert content["coverage"]["ran"] == content["coverage"]["expected"]
    records: Records = content["records"]
    return records


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Records:
    """The records of the quick engines that are installed, on the small model."""
    present = [name for name, module in ENGINES.items() if find_spec(module) and name not in SLOW]
    return run_suites(tmp_path_factory.mktemp("suites") / "quick.json", cache, present, SMALL)


def check_passed(records: Records, engine: str, models: Sequence[str]) -> None:
    """Assert that parity and truth have judged each model on an engine, and that all passed."""
    own = [each for each in records if each["case"]["engine"] == engine]
    judged = {(each["case"]["model"], each["judge"]) for each in own}
    assert judged == {(model, judge) for model in models for judge in ("parity", "truth")}
    assert {each["status"] for each in own} == {"pass"}
    seen = [each for each in own if "photographs" in each["details"]]
    assert {each["case"]["model"] for each in seen} == set(models)
    for record in seen:
        for photograph in record["details"]["photographs"]:
            assert photograph["picture"]
            assert len(photograph.get("classes") or photograph["boxes"]) >= 5


@pytest.mark.parametrize("engine", [name for name in ENGINES if name not in SLOW])
def test_by_day(engine: str, records: Records) -> None:
    """The small model passes parity and truth at batch 1, and no check is lost."""
    if find_spec(ENGINES[engine]) is None:
        pytest.skip(f"{ENGINES[engine]} is not installed")
    check_passed(records, engine, SMALL)


@pytest.mark.nightly
@pytest.mark.parametrize("engine", ENGINES)
def test_every_model(engine: str, tmp_path: Path, cache: Path) -> None:
    """So does every model, on every engine."""
    if find_spec(ENGINES[engine]) is None:
        pytest.skip(f"{ENGINES[engine]} is not installed")
    check_passed(run_suites(tmp_path / "report.json", cache, [engine], MODELS), engine, MODELS)
