"""Storing baselines, and comparing with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    Run = Callable[..., pytest.RunResult]

SLOW = 'register(FakeEngine("fake", delay_s={delay_s}))'


def _stored(pytester: pytest.Pytester) -> Path:
    (folder,) = (path for path in (pytester.path / "baselines").iterdir() if path.is_dir())
    return folder


def test_stored_then_compared(run: Run, pytester: pytest.Pytester) -> None:
    """What was stored on this device is found again by ``auto``; slower than it fails."""
    options = ("--engine=fake", "-k", "latency")
    stored = run("--update-baselines", *options, conftest=SLOW.format(delay_s=0.1))
    stored.stdout.fnmatch_lines(
        ["stored in */baselines/cpu-*: 1 entries", "  toy-fake-fp32-b1: p50 new, *"]
    )
    entry = json.loads((_stored(pytester) / "toy.json").read_text())["entries"]["toy-fake-fp32-b1"]
    assert entry["provenance"]["kind"] == "measured"
    assert entry["provenance"]["command"] == (
        "pytest suites --update-baselines --engine=fake --infer-model=toy "
        "--infer-precision=fp32 --infer-batch=1"
    )
    assert entry["figures"]["p50_ms"] > 100

    slower = run(*options, conftest=SLOW.format(delay_s=0.5))
    slower.assert_outcomes(failed=1)
    slower.stdout.fnmatch_lines(["toy-fake-fp32-b1 regressed: * x the stored duration"])

    faster = run(*options, conftest=SLOW.format(delay_s=0))
    faster.assert_outcomes(passed=1)
    strict = run("--infer-strict", *options, conftest=SLOW.format(delay_s=0))
    strict.assert_outcomes(failed=1)

    renewed = run("--update-baselines", *options, conftest=SLOW.format(delay_s=0))
    renewed.stdout.fnmatch_lines(["  toy-fake-fp32-b1: p50 * -> * ms"])


def test_failed_case_is_not_stored(run: Run, pytester: pytest.Pytester) -> None:
    """The speed of a wrong engine is no baseline."""
    result = run(
        "--update-baselines",
        "--engine=fake",
        "-k",
        "outputs or latency",
        conftest='register(FakeEngine("fake", outputs=scale(1.01)))',
    )
    result.stdout.fnmatch_lines(["not stored: toy-fake-fp32-b1 (diverged)"])
    assert not (pytester.path / "baselines").exists()


def test_named_baseline_without_the_case_fails(run: Run) -> None:
    """A measured baseline that a person named must have every case."""
    run("--update-baselines", "--gpu-baseline=mine", "--engine=eager", "-k", "latency")
    result = run("--gpu-baseline=mine", "--engine=ort", "-k", "latency")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*toy*ort*", "  why:*", "  mend:*--update-baselines*"])


def test_published_floor_has_no_figure(run: Run) -> None:
    """A published baseline judges what it has, and says what it has not."""
    result = run("--gpu-baseline=gtx1070", "--engine=ort", "-k", "latency")
    result.stdout.fnmatch_lines(
        [
            "*new: not-published*",
            "new: toy has no published figure in gtx1070, which has: detr_resnet50-eager-*",
            "*1 new in*",
        ]
    )
