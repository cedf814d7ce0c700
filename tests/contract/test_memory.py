"""An engine that is closed gives its memory back: a host opens many, one after the other."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_infer import Case, TensorSpec, model
from pytest_infer.config import InferConfig
from pytest_infer.engines import registry as engines
from pytest_infer.session.session import InferSession

if TYPE_CHECKING:
    from collections.abc import Iterator

WEIGHTS_MIB = 32
WIDTH = 4096
ROWS = (WEIGHTS_MIB << 20) // (4 * WIDTH)
OPENED = 8


@model(
    task="tensor",
    inputs={"features": TensorSpec(("batch", WIDTH))},
    outputs={"products": TensorSpec(("batch", ROWS))},
)
def heavy():
    """Return one layer of 32 MiB."""
    import torch

    torch.manual_seed(0)
    return torch.nn.Linear(WIDTH, ROWS, bias=False).eval()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[InferSession]:
    """A session whose engines are opened in this process."""
    inline = dict.fromkeys(engines.registered(), "inline")
    session = InferSession(InferConfig(device="cpu", cache=tmp_path, hosts=inline))
    yield session
    session.close()


SLOW = [pytest.param(name, marks=pytest.mark.nightly) for name in ("torchscript", "compile", "tvm")]


@pytest.mark.parametrize("name", ["eager", "ort", "openvino", *SLOW])
def test_closed_engines_are_gone(run: InferSession, name: str) -> None:
    """After one that loads the library, eight more take less memory than two."""
    if lack := engines.find(name).missing("cpu"):
        pytest.skip(lack.why)
    case = Case("heavy", name, "fp32", 1, "cpu")
    built, feeds = run.artefacts.engines.of(case), run.artefacts.models.feeds("heavy", 1)
    used = []
    for _ in range(1 + OPENED):
        with engines.find(name).open(built) as runner:
            runner.infer(feeds)
        del runner
        gc.collect()
        used.append(_resident_mib())
    assert used[-1] - used[0] < 2 * WEIGHTS_MIB, used


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
