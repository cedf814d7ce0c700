"""What goes wrong on a GPU ends its own case, and the next one has the whole GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.engines.missing import missing_gpu
from pytest_infer.hosts.process_host import LOST_GPU

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Run

LACK = missing_gpu()

pytestmark = pytest.mark.skipif(LACK is not None, reason=LACK.why if LACK else "")

FAULTS = """
from pathlib import Path

from pytest_infer.testing.process_faults import fill_gpu, lose_gpu


def once(name, fault):
    def strike():
        if not Path(name).exists():
            Path(name).touch()
            fault()

    return strike


for name, fault in [("fills", fill_gpu), ("loses", lose_gpu)]:
    register(FakeEngine(name, "torchscript", process=once(name, fault)))
"""
"""Each fault strikes in the first of its engine's cases."""


@pytest.fixture(scope="module")
def faulty(toy_run: Callable[..., Run]) -> Run:
    """Return one run of the faulty engines and a healthy one."""
    return toy_run(
        *("--engine=fills,loses,torchscript", "--infer-precision=fp32,fp16"),
        *("--infer-device=cuda:0", "-k", "outputs"),
        conftest=FAULTS,
    )


def codes(run: Run, engine: str) -> list[str]:
    """Return the codes of an engine's cases, sorted."""
    return sorted(
        record["code"] for record in run.report["records"] if record["case"]["engine"] == engine
    )


def message(run: Run, engine: str) -> str:
    """Return the message of the engine's only failure."""
    (found,) = [
        record["message"]
        for record in run.report["records"]
        if record["case"]["engine"] == engine and record["code"] == "run-error"
    ]
    return str(found)


@pytest.mark.parametrize("engine", ["fills", "loses"])
def test_next_case_passes(faulty: Run, engine: str) -> None:
    """One case fails, the engine's next one is judged."""
    assert codes(faulty, engine) == ["match", "run-error"]


def test_others_pass(faulty: Run) -> None:
    """Other engines' cases are judged as ever, and no process is left."""
    assert codes(faulty, "torchscript") == ["match", "match"]
    assert faulty.left == []


def test_lost_gpu_is_explained(faulty: Run) -> None:
    """The message has CUDA's words, and says that a new process goes on."""
    assert "device-side assert" in message(faulty, "loses")
    assert message(faulty, "loses").endswith(LOST_GPU)


def test_full_gpu_is_explained(faulty: Run) -> None:
    """The message has torch's words."""
    assert "OutOfMemoryError" in message(faulty, "fills")
