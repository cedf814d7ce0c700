"""Where int8 loses (``--infer-int8-loss``), and what ``--infer-unquantized`` saves of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

INT8 = ("--engine=ort", "--infer-precision=int8", "-k", "test_outputs or test_task")


@pytest.mark.nightly
def test_found_and_left_out(run: Run, pytester: pytest.Pytester) -> None:
    """The worst layer is named with an option; a run with it loses what was measured."""
    found = run(*INT8, "--infer-int8-loss", "--infer-report=json:a.json,html:a.html")
    text = found.stdout.str()
    assert "int8 of toy loses " in text
    option = next(line for line in text.splitlines() if line.startswith("--infer-unquantized=toy="))
    records = json.loads((pytester.path / "a.json").read_text())["records"]
    (loss,) = [each["details"]["int8_loss"] for each in records if "int8_loss" in each["details"]]
    assert loss["count"] == len(loss["layers"]) == 2
    assert loss["after"] < loss["before"]
    assert option.split("=", 2)[2] == loss["leave_out"][0]
    assert 'id="int8"' in (pytester.path / "a.html").read_text()
    run(*INT8, option, "--infer-report=json:b.json")
    records = json.loads((pytester.path / "b.json").read_text())["records"]
    assert not [each for each in records if "int8_loss" in each["details"]]
    assert records[0]["figures"]["relative_l2"] < 1.5 * loss["after"]


def test_unknown_model(run: Run) -> None:
    """A model that is not there is an error with its mend."""
    text = run(*INT8, "--infer-unquantized=toyy=x").stderr.str()
    assert "unknown model of --infer-unquantized 'toyy'" in text
    assert "did you mean 'toy'?" in text
