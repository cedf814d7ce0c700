"""A small model, and engines that are built once and copied from then on.

What is tried is the cache, not the compilers: some of them take a minute for a build.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pytest_infer import BuildRequest, Graph, TensorSpec, model
from pytest_infer.engines import registry as engines
from pytest_infer.testing import FakeEngine

PRISTINE = "PYTEST_INFER_PRISTINE"
"""The environment's name of the folder that holds what was built once."""

FAMILIES = ("torchscript", "compile", "ort", "tvm", "openvino")


@model(
    task="classification",
    inputs={"image": TensorSpec(("batch", 3, 32, 32))},
    outputs={"logits": TensorSpec(("batch", 10))},
)
def toy() -> torch.nn.Module:
    """Return a net of two layers."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(7200, 10)
    ).eval()


class Copied(FakeEngine):
    """An engine whose build is a copy of what its library has built once."""

    def build(self, graph: Graph, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Copy the files, after the first build."""
        pristine = Path(os.environ[PRISTINE], self.inner)
        if not pristine.exists():
            draft = pristine.with_suffix(".draft")
            draft.mkdir(parents=True)
            super().build(graph, request, draft)
            draft.rename(pristine)
        shutil.copytree(pristine, folder, dirs_exist_ok=True)
        return {}


def copied(family: str) -> str:
    """Return the name of a family's copied engine."""
    return f"copied-{family}"


for _family in FAMILIES:
    engines.register(Copied(copied(_family), inner=_family))
