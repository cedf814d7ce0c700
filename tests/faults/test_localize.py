"""A fault inside a graph is found in its layer, and a bundle fails again by itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Run

pytestmark = pytest.mark.nightly

DEEP = """
import numpy as np

from pytest_infer import TensorSpec, model, register
from pytest_infer.testing import FakeEngine, faults
from pytest_infer.testing import graph_faults as plant


@model(
    task="classification",
    inputs={"image": TensorSpec(("batch", 3, 32, 32))},
    outputs={"logits": TensorSpec(("batch", 10))},
)
def toy():
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, x):
            return torch.relu(x + self.second(torch.sigmoid(self.first(x))))

    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.MaxPool2d(2, padding=1),
        *(Block() for _ in range(4)),
        nn.Flatten(),
        nn.Linear(2048, 10),
        nn.LayerNorm(10, eps=1e-5),
    ).eval()


FAULTS = {
    "weights": plant.weight("Conv", 3, lambda weights: weights * 1.01),
    "bias": plant.weight("Conv", 5, lambda bias: bias + 0.1, position=2),
    "pads": plant.attribute("Conv", 2, "pads", [2, 2, 0, 0]),
    "pool": plant.replace_node(
        "MaxPool", 0, "AveragePool", kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1]
    ),
    "gate": plant.replace_node("Sigmoid", 2, "HardSigmoid"),
    "residual": plant.skip("Add", 1),
    "relu": plant.skip("Relu", 0),
    "half": plant.cast("Conv", 7, "FLOAT16"),
    "twice": plant.append("Sigmoid", 3, "Sigmoid"),
    "head": plant.weight("Gemm", 0, lambda weights: weights[::-1]),
}
for name, fault in FAULTS.items():
    register(FakeEngine(name, inner="ort", graph=fault))


class Deaf(FakeEngine):
    # An engine that refuses graphs with more outputs than the model's.
    def build(self, graph, request, folder):
        from pytest_infer import BuildError

        if len(graph.spec.outputs) > 1:
            raise BuildError("cannot build", why="one output only", mend="none")
        return super().build(graph, request, folder)


def where_it_is(model):
    # A graph that was cut before the fault's node has no such node.
    from pytest_infer import ModelError

    try:
        return FAULTS["weights"](model)
    except ModelError:
        return ""


register(Deaf("deaf", inner="ort", graph=where_it_is))
register(FakeEngine("liar", inner="ort", outputs=faults.scale(2.0, "logits")))
"""

LAYERS = {
    "weights": ("Conv", 3),
    "bias": ("Conv", 5),
    "pads": ("Conv", 2),
    "pool": ("MaxPool", 0),
    "gate": ("Sigmoid", 2),
    "residual": ("Add", 1),
    "relu": ("Relu", 0),
    "half": ("Conv", 7),
    "twice": ("Sigmoid", 3),
    "head": ("Gemm", 0),
    "deaf": ("Conv", 3),
    "liar": ("LayerNormalization", 0),
}
"""Where each fault is planted: the operator, and which of its kind."""


@pytest.fixture(scope="module")
def found(toy_run: Callable[..., Run]) -> dict[str, str]:
    """The messages about every faulty engine, from one run."""
    engines = ",".join(LAYERS)
    done = toy_run(f"--engine={engines}", "-k", "outputs", "--infer-localize", conftest=DEEP)
    records = done.report["records"]
    assert {each["code"] for each in records} == {"diverged"}, done.text
    return {each["case"]["engine"]: each["message"] for each in records}


@pytest.fixture(scope="module")
def layers(found: dict[str, str]) -> list[tuple[str, str]]:
    """Operator and name of the graph's nodes, in their order."""
    import onnx

    graph = onnx.load(_bundle(found["weights"]).parent / "graph.onnx").graph
    return [(node.op_type, node.name) for node in graph.node]


@pytest.mark.parametrize("engine", LAYERS)
def test_the_layer_is_named(
    engine: str, found: dict[str, str], layers: list[tuple[str, str]]
) -> None:
    """The first diverging layer is the one in which the fault was planted."""
    operator, index = LAYERS[engine]
    name = [node for kind, node in layers if kind == operator][index]
    assert f"layers: the first diverging layer is {operator} {name} (" in found[engine]
    assert re.search(r"\n +> \S+ +\S+  " + f"{operator} {name}", found[engine])


def test_a_bundle_fails_again_by_itself(found: dict[str, str], tmp_path: Path) -> None:
    """In a fresh process and in its own folder the bundle fails by the same code."""
    test = _bundle(found["half"])
    folder = tmp_path / "bundle"
    test.parent.rename(folder)
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test.name],
        cwd=folder,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    told = "'logits' diverged from eager fp64\n"
    assert f"8 rows of 8 calls: {told}" in found["half"]
    assert f"toy-half-fp32-b1: {told}" in done.stdout
    assert "worst element logits" in done.stdout
    assert "polygraphy run graph.onnx" in (folder / "README.md").read_text()


def _bundle(message: str) -> Path:
    match = re.search(r"\n  bundle: pytest (\S+)", message)
    assert match, message
    return Path(match[1])
