"""Engines that do not agree with themselves are caught, each by the relation that it breaks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Run

SUITE = Path(__file__).parents[2] / "suites" / "test_metamorphic.py"

LIARS = """
from random import random

from pytest_infer.testing import faults, graph_faults, memory_faults

FAULTS = {{
    "unwritten": faults.fill(0.0, slice(1, None)),
    "by-row": faults.scale_by_row(1e-3),
    "mixing": faults.mix_rows(1e-3),
    "drifting": memory_faults.drift(1e-3),
    "stale": memory_faults.stale(),
    "old-binding": memory_faults.stale_shape(),
    "by-process": memory_faults.scale_by_process(1e-3),
    "racing": memory_faults.race({place!r}),
    "nan": faults.fill_nan((0, 0)),
    "copying": faults.copy_row(0, slice(1, None)),
}}
for name, fault in FAULTS.items():
    register(FakeEngine(name, inner="ort", outputs=fault))
register(FakeEngine("honest", inner="ort"))
shaken = graph_faults.weight("Conv", 0, lambda weights: weights * (1 + random()))
register(FakeEngine("random-build", inner="ort", graph=shaken))
"""

BROKEN = {
    "honest": set(),
    "unwritten": {"rows-differ", "order-matters", "batch-matters"},
    "by-row": {"rows-differ", "order-matters", "batch-matters"},
    "mixing": {"batch-matters"},
    "drifting": {"not-repeatable"},
    "stale": {"order-matters"},
    "old-binding": {"stale-shapes"},
    "by-process": {"reload-differs"},
    "racing": {"not-concurrent"},
    "nan": {"not-finite"},
    "copying": {"rows-alike", "batch-matters"},
    "random-build": {"rebuild-differs"},
}
"""The codes that each engine must have among its failures."""


@pytest.fixture(scope="module")
def found(
    toy_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, set[str]]:
    """The codes of the failures of every engine, from one run."""
    folder = tmp_path_factory.mktemp("metamorphic")
    suite = shutil.copy(SUITE, folder)
    done = toy_run(
        str(suite),
        f"--engine={','.join(BROKEN)}",
        f"--confcutdir={folder.parent}",
        "-p",
        "conftest",
        conftest=LIARS.format(place=str(folder / "race")),
    )
    records = done.report["records"]
    assert len(records) == 9 * len(BROKEN), done.text
    codes: dict[str, set[str]] = {name: set() for name in BROKEN}
    for record in records:
        if record["status"] == "fail":
            codes[record["case"]["engine"]].add(record["code"])
    return codes


@pytest.mark.parametrize("engine", BROKEN)
def test_each_is_caught_by_its_code(engine: str, found: dict[str, set[str]]) -> None:
    """The expected codes are among the failures; an honest engine has none."""
    if BROKEN[engine]:
        assert BROKEN[engine] <= found[engine]
    else:
        assert found[engine] == set()
