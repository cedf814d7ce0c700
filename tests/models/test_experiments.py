"""The experiments of the articles run whole on a CPU, with few calls."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("file", "engines", "checks"),
    [
        pytest.param("test_004_resnet50.py", "eager,ort", 6, marks=pytest.mark.nightly),
        pytest.param("test_002_mobilenet_v2.py", "eager,ort", 9, marks=pytest.mark.nightly),
        pytest.param(
            "test_003_efficientnet_b0.py", "eager,torchscript", 4, marks=pytest.mark.nightly
        ),
        pytest.param("test_000_detr.py", "eager,ort", 4, marks=pytest.mark.nightly),
        pytest.param("test_speedup.py", "ort", 7, marks=pytest.mark.nightly),
    ],
)
def test_every_check_passes(tmp_path: Path, file: str, engines: str, checks: int) -> None:
    """Each of its checks runs, none fails, and what its page shows is in the report."""
    if "003" in file:
        pytest.importorskip("timm")
    path = tmp_path / "report.json"
    done = subprocess.run(  # noqa: S603 - our own interpreter and options
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                f"suites/seeds/{file}",
            ),
            *(f"--engine={engines}", "--infer-device=cpu", "--infer-batch=1", "--infer-calls=2"),
            *("--infer-warmup=0", f"--infer-report=json:{path}", f"--infer-baselines={tmp_path}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    report = json.loads(path.read_text())
    assert report["coverage"]["ran"] == report["coverage"]["expected"] == checks
    assert {each["status"] for each in report["records"]} <= {"pass", "new"}
    timed = [each["figures"] for each in report["records"] if "mean_ms" in each["figures"]]
    assert len(timed) * 2 <= checks
    assert all(each["calls"] == 2 for each in timed)
    for each in report["records"]:
        if each["judge"] == "parity":
            assert each["figures"].get("worst_ratio", 0) <= 1
