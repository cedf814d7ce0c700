"""Faults of some shapes alone are found, shrunk and found again, when the suite is asked for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Run

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "suites" / "test_shapes.py"
BENCHMARK = ROOT / "benchmarks" / "shape_faults.py"


@pytest.fixture
def shapes_run(toy_run: Callable[..., Run], tmp_path: Path) -> Callable[..., Run]:
    """Run the suite of shapes on the toy model."""

    def call(*options: str, **others: str) -> Run:
        suite = shutil.copy(SUITE, tmp_path)
        return toy_run(
            str(suite), f"--confcutdir={tmp_path.parent}", "-p", "conftest", *options, **others
        )

    return call


@pytest.mark.nightly
def test_faults_are_found(cache: Path) -> None:
    """One of an odd height, one of a layout and one of what a runner keeps, in few examples."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and options
        [
            *(sys.executable, str(BENCHMARK), "--examples=40", f"--cache={cache}"),
            "--only=even-height,layout-ignored,output-of-another-runner",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"3 of 3 faults are found", done.stdout), done.stdout


def test_static_engine_is_built_per_shape(shapes_run: Callable[..., Run]) -> None:
    """An engine that takes one shape is built for few, and the verdict says so."""
    done = shapes_run(
        *("-m", "fuzz", "--engine=static", "--infer-fuzz-examples=15", "-k", "every_shape"),
        conftest="""
from dataclasses import dataclass


class Static(FakeEngine):
    def profile_options(self, options):
        from pytest_infer import Missing

        return Missing("it has one shape", "none")


register(Static("static", inner="torchscript"))
""",
    )
    record = done.record("toy-static-fp32-b1")
    assert record["status"] == "pass", record["message"]
    assert "built per shape: it has one shape" in record["message"]
    assert record["figures"]["shapes"] <= 4


@pytest.mark.parametrize(("most", "status"), [(1e6, "known"), (2.0, "fail")])
def test_known_finding(shapes_run: Callable[..., Run], most: float, status: str) -> None:
    """What a conftest expects of a search is counted and told, unless it is larger than that."""
    done = shapes_run(
        *("-m", "fuzz", "--engine=alike", "-k", "every_shape"),
        "--infer-fuzz-replay=batch=1,values=ones,layout=contiguous,seed=0",
        conftest=f"""
from pytest_infer import KnownFinding, expect
from pytest_infer.testing.feed_faults import where

expect(KnownFinding("alike", "toy", ("ones",), "diverged", {most}, "it never could (0.1)"))
fault = where(lambda feeds: (feeds["image"] == 1).all(), scale(1.01))
register(FakeEngine("alike", inner="torchscript", shapes=fault))
""",
    )
    record = done.record("toy-alike-fp32-b1")
    assert record["status"] == status, record["message"]
    assert ("it never could (0.1)" in record["message"]) is (status == "known")
    assert done.code == (status == "fail")


@pytest.mark.parametrize("test", ["every_shape", "sequences"], ids=["call", "steps"])
def test_wrong_once(shapes_run: Callable[..., Run], tmp_path: Path, test: str) -> None:
    """What cannot be found again is reported as it was the first time, with what was fed then."""
    done = shapes_run(
        *("-m", "fuzz", "--engine=once", "-k", test, "--infer-fuzz-examples=40"),
        conftest=f"""
from pathlib import Path

from pytest_infer.testing.feed_faults import where


def is_first(feeds):
    marker = Path({str(tmp_path / "once")!r})
    if len(feeds["image"]) == 1 or marker.exists():
        return False
    marker.touch()
    return True


register(FakeEngine("once", inner="torchscript", shapes=where(is_first, scale(1.01))))
""",
    )
    record = done.record("toy-once-fp32-b1")
    assert (record["status"], record["code"]) == ("fail", "not-repeatable")
    assert re.search(r"was wrong once on .*batch=(?!1,).*, and not again", record["message"])
    assert "relative_l2" in record["message"], record["message"]
