"""Lies about what ran are caught by the suite of truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.conftest import Run

LIAR = """
register(FakeEngine("liar", inner={inner!r}, {lie}))
"""

EXPORTER = """
from dataclasses import replace

from pytest_infer.graphs import export
from pytest_infer.hosts import graph_operations

export.check_graph = lambda *_, **__: None
write = graph_operations.export_onnx
{lie}
register(FakeEngine("liar", inner="ort"))  # a host imports this file for its sake
"""

IN_FP64 = """
def in_fp64(module, *given):
    import torch

    class InFp64(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, image):
            weights = {name: each.double() for name, each in self.inner.named_parameters()}
            return torch.func.functional_call(self.inner, weights, image.double()).float()

    write(InFp64().eval(), *given)


graph_operations.export_onnx = in_fp64
"""
"""Inputs and outputs have the types that were asked for, the arithmetic between has not."""


@pytest.mark.parametrize(
    ("inner", "lie", "precision"),
    [
        pytest.param("torchscript", "runs_as='fp32'", "bf16", marks=pytest.mark.nightly),
        pytest.param("torchscript", "runs_as='bf16'", "fp32", marks=pytest.mark.nightly),
        ("ort", "built_from={'precision': 'fp32'}", "int8"),
    ],
)
def test_another_precision(
    toy_run: Callable[..., Run], inner: str, lie: str, precision: str
) -> None:
    """An engine that runs in another precision than the one asked for fails."""
    done = toy_run(
        "--engine=liar",
        f"--infer-precision={precision}",
        "-k",
        "what_ran",
        conftest=LIAR.format(inner=inner, lie=lie),
    )
    codes = [record["code"] for record in done.report["records"]]
    assert (done.code, codes) == (1, ["other-precision", "as-asked", "as-asked"])


@pytest.mark.parametrize(
    ("lie", "code", "why"),
    [
        (
            "export._exporter = lambda *_, **__: {'dynamo': True, 'external_data': False}",
            "other-signature",
            "image: dimension 0 is 2, not batch",
        ),
        pytest.param(
            "graph_operations.export_onnx = lambda *given: write("
            "*given[:3], replace(given[3], opset=20), given[4])",
            "other-opset",
            "opset 20, not 18",
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            IN_FP64,
            "other-types",
            "its convolutions and matrix products are 2 in fp64",
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_another_graph(
    toy_run: Callable[..., Run], tmp_path: Path, lie: str, code: str, why: str
) -> None:
    """A batch that was baked in, another opset or arithmetic, is seen in the file itself."""
    done = toy_run(
        "--engine=ort",
        f"--infer-cache={tmp_path}",  # the lying graph must not be found by other tests
        "-k",
        "test_graph",
        conftest=EXPORTER.format(lie=lie),
    )
    (record,) = done.report["records"]
    assert (done.code, record["code"]) == (1, code)
    assert why in record["message"]
