"""A part of the ledger of planted faults: on a real model, and on small ones of each task."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "parity_faults.py"

pytestmark = pytest.mark.slow


FAULTS = {"--model=efficientnet_b0": 4, "--tasks": 21}
"""The number of faults: in EfficientNet-B0's graph, and in what outputs of each task mean."""


@pytest.mark.parametrize(
    "models", ["--model=efficientnet_b0", pytest.param("--tasks", marks=pytest.mark.nightly)]
)
def test_every_fault_is_caught(models: str, cache: Path) -> None:
    """Faults are caught by the codes expected."""
    if find_spec("onnxruntime") is None or find_spec("openvino") is None:
        pytest.skip("onnxruntime or openvino is not installed")
    done = subprocess.run(  # noqa: S603 - our own interpreter and options
        [
            *(sys.executable, str(BENCHMARK), models, "--only=faults"),
            f"--cache={cache}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = re.search(r"(\d+) of (\d+) faults are caught by the code expected", done.stdout)
    assert found, done.stdout
    assert found[1] == found[2] == str(FAULTS[models])
