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
    from collections.abc import Mapping

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

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Mapping[str, Any]:
    """The report of one run of parity and truth on all engines that are installed."""
    path = tmp_path_factory.mktemp("suites") / "report.json"
    engines = ",".join(name for name, module in ENGINES.items() if find_spec(module))
    done = subprocess.run(  # noqa: S603 - our own interpreter and options
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2"),
            *("suites/test_parity.py", "suites/test_truth.py", f"--infer-report=json:{path}"),
            *(f"--engine={engines}", "--infer-device=cpu", f"--infer-cache={cache}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    content: Mapping[str, Any] = json.loads(path.read_text())
    return content


@pytest.mark.parametrize("engine", ENGINES)
def test_parity_and_truth(engine: str, report: Mapping[str, Any]) -> None:
    """Every model passes parity and truth at batch 1."""
    if find_spec(ENGINES[engine]) is None:
        pytest.skip(f"{ENGINES[engine]} is not installed")
    records = [each for each in report["records"] if each["case"]["engine"] == engine]
    judged = {(each["case"]["model"], each["judge"]) for each in records}
    assert judged == {(model, judge) for model in MODELS for judge in ("parity", "truth")}
    assert {each["status"] for each in records} == {"pass"}


def test_no_check_is_lost(report: Mapping[str, Any]) -> None:
    """As many checks ran as were expected."""
    assert report["coverage"]["ran"] == report["coverage"]["expected"]
