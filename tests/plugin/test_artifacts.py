"""``--infer-artifacts``: graphs and engines of every case, for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_kept(run: Run, pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """Each case is in the list, with its graph and its engine, or why it has none."""
    options = ("-k", "test_what_ran", "--engine=eager,ort", "--infer-batch=1,2")
    result = run(*options, "--infer-artifacts=kept", *workers)
    result.stdout.fnmatch_lines(["artifacts: *kept: 4 cases; pytest-infer open shows one"])
    root = pytester.path / "kept"
    content = json.loads((root / "artifacts.json").read_text())
    found = {each["case_id"]: each for each in content["artifacts"]}
    assert sorted(found) == [
        "toy-eager-fp32-b1",
        "toy-eager-fp32-b2",
        "toy-ort-fp32-b1",
        "toy-ort-fp32-b2",
    ]
    own = found["toy-ort-fp32-b1"]
    assert own["graph"] == found["toy-ort-fp32-b2"]["graph"]
    assert own["engine"] == ["cases/toy-ort-fp32-b1/engine/optimized.onnx"]
    files = [str(root / name) for name in (own["graph"], *own["engine"])]
    read = f"import onnx; assert all(onnx.load(file).graph.node for file in {files})"
    assert pytester.runpython_c(read).ret == 0  # in this process onnx cannot be imported twice
    assert found["toy-eager-fp32-b1"]["note"] == "eager builds no files: it runs the module"


def test_a_folder_that_takes_none(run: Run, pytester: pytest.Pytester) -> None:
    """It is an error of the test, with what to do."""
    (pytester.path / "kept").write_text("a file")
    result = run("-k", "test_what_ran", "--engine=ort", "--infer-artifacts=kept")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*name another folder with --infer-artifacts=DIR*"])
