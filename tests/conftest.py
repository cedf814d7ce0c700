"""A small suite for tests of whole runs: a real model, real engines, real hosts."""

from __future__ import annotations

from os import cpu_count, environ
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from nightly import IS_NIGHTLY, VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

settings.register_profile("tests", deadline=None)  # no test depends on the machine's speed
settings.register_profile("ci", deadline=None, derandomize=True)  # the same examples each time
settings.load_profile("ci" if "CI" in environ else "tests")

if "PYTEST_XDIST_WORKER" in environ:  # a worker's threads would wait for the others' cores
    cores = (cpu_count() or 1) // int(environ["PYTEST_XDIST_WORKER_COUNT"])
    environ.setdefault("OMP_NUM_THREADS", str(max(1, cores)))

INI = """
[pytest]
addopts = --import-mode=importlib -p no:cacheprovider
infer_engine = eager,ort,torchscript
"""

SUITES = Path(__file__).parents[1] / "suites"
OWN = {SUITES / f"test_{name}.py" for name in ("metamorphic", "shapes", "against", "accuracy")}
"""Slow suites, which tests of their names run on their own."""

TOY = """
from pytest_infer import TensorSpec, model, register
from pytest_infer.testing import FakeEngine, add, fill_nan, hang, leave, scale, segfault, swap

LAYERS = 0  # a test that appends another number has a slower net of the same name


@model(
    task="classification",
    inputs={"image": TensorSpec(("batch", 3, 32, 32))},
    outputs={"logits": TensorSpec(("batch", 10))},
)
def toy():
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(
        *(torch.nn.Conv2d(3, 3, 5, padding=2) for _ in range(LAYERS)),
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(7200, 10)
    ).eval()
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip nightly tests by day, so that each of them is counted."""
    if not IS_NIGHTLY:
        by_day = pytest.mark.skip(reason=f"nightly: {VARIABLE}=1 runs it")
        for item in items:
            if item.get_closest_marker("nightly"):
                item.add_marker(by_day)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that the tests of one run share, on all its workers."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in environ else own) / "infer-cache"


@pytest.fixture(scope="session")
def toy() -> str:
    """The text of a conftest.py with a small model."""
    return TOY


@pytest.fixture
def bare_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Run pytest in a separate process on the suites and a toy model.

    ``conftest`` is added to the toy's.
    """
    monkeypatch.setenv("COLUMNS", "200")
    for name in [name for name in environ if name.startswith("PYTEST_XDIST_")]:
        monkeypatch.delenv(name)  # what runs below is no worker of the run that tests it
    for file in sorted(set(SUITES.glob("test_*.py")) - OWN):
        (pytester.path / file.name).write_text(file.read_text())
    pytester.makeini(INI)

    def call(*options: str, conftest: str = "") -> pytest.RunResult:
        pytester.makeconftest(TOY + conftest)
        return pytester.runpytest_subprocess(*options)

    return call


@pytest.fixture
def run(bare_run: Callable[..., pytest.RunResult], cache: Path) -> Callable[..., pytest.RunResult]:
    """Run the toy on the CPU with few calls, since no test looks at durations."""

    def call(*options: str, conftest: str = "") -> pytest.RunResult:
        return bare_run(
            "--infer-model=toy",
            f"--infer-cache={cache}",
            "--infer-calls=5",
            "--infer-warmup=1",
            "--infer-device=cpu",
            *options,
            conftest=conftest,
        )

    return call
