"""Lies about what ran on a GPU are caught by the suite of truth, a misread graph by parity.

TensorRT may be in another environment: --infer-host=trt=popen//python=/opt/trt8/bin/python. Run it
alone: beside other work TensorRT may choose kernels without TF32, and the lie is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.engines.missing import missing_gpu
from pytest_infer.plugin.options import read_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Run

LACK = missing_gpu()

pytestmark = pytest.mark.skipif(LACK is not None, reason=LACK.why if LACK else "")

LIAR = """
from pytest_infer.testing import contract_model  # large enough for kernels of every kind

register(FakeEngine("liar", inner={inner!r}, {lie}))
"""

CENTRED = """
from pytest_infer import TensorSpec, model


@model(
    task="classification",
    inputs={"image": TensorSpec(("batch", 3, 32, 32))},
    outputs={"logits": TensorSpec(("batch", 10))},
)
def toy():
    import torch

    class Centred(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.head = torch.nn.Conv2d(3, 8, 3), torch.nn.Linear(7200, 10)

        def forward(self, image):
            features = self.features(image)
            centred = features - features.mean((2, 3), keepdim=True)
            return self.head(centred.relu().flatten(1))

    torch.manual_seed(0)
    return Centred().eval()
"""
"""A net whose mean over other axes still has a shape that fits."""


@pytest.fixture
def trt_host(pytestconfig: pytest.Config) -> str:
    """The host that ``--infer-host`` names for TensorRT."""
    return read_config(pytestconfig).hosts.get("trt", "popen")


@pytest.fixture
def codes(toy_run: Callable[..., Run], trt_host: str) -> Callable[..., list[str]]:
    """Run the suite of truth on a liar; return the codes of its failures."""

    def call(inner: str, lie: str, *options: str) -> list[str]:
        done = toy_run(
            *("--engine=liar", "--infer-model=contract_cnn", "--infer-device=cuda:0"),
            *("-k", "what_ran and contract_cnn"),  # the toy is asked for, too
            f"--infer-host=liar={trt_host if inner == 'trt' else 'popen'}",
            *options,
            conftest=LIAR.format(inner=inner, lie=lie),
        )
        return [each["code"] for each in done.report["records"] if each["status"] == "fail"]

    return call


def test_cuda_that_was_lost(codes: Callable[..., list[str]]) -> None:
    """ONNX Runtime on the CPU does not pass for CUDA."""
    assert codes("ort", "runs_on='cpu'") == ["other-device"]


def test_fp32_for_fp16(codes: Callable[..., list[str]]) -> None:
    """A TensorRT engine built in fp32 does not pass for fp16."""
    assert codes("trt", "runs_as='fp32'", "--infer-precision=fp16") == ["other-precision"]


def test_int8_without_int8_layers(codes: Callable[..., list[str]]) -> None:
    """A TensorRT engine built in fp32 does not pass for int8."""
    assert codes("trt", "runs_as='fp32'", "--infer-precision=int8") == ["other-precision"]


def test_int8_without_scales(codes: Callable[..., list[str]]) -> None:
    """A graph without scales does not pass for int8: TensorRT 8.6 refuses it, or builds in fp32.

    It has done either on an H200: `no scaling factors detected`, or no layer in int8 and no word.
    """
    lie = "built_from={'precision': 'fp32', 'is_symmetric': False}"
    assert codes("trt", lie, "--infer-precision=int8") in (["build-error"], ["other-precision"])


def test_sparse_of_dense_weights(codes: Callable[..., list[str]]) -> None:
    """TensorRT takes no sparse kernel for dense weights, whatever is allowed."""
    lie = "built_from={'is_pruned': False}"
    options = ("--infer-precision=fp16", "--infer-option=liar.sparse=true")
    assert "not-in-force" in codes("trt", lie, *options)  # nor is all of so small a net in fp16


def test_tf32_for_fp32(codes: Callable[..., list[str]]) -> None:
    """A TensorRT engine that multiplies in TF32 does not pass for fp32."""
    assert codes("trt", "runs_as='tf32'") == ["other-precision"]


@pytest.mark.parametrize("opset", [17, 18])
def test_reduction_over_all_axes(toy_run: Callable[..., Run], trt_host: str, opset: int) -> None:
    """TensorRT 8.6 misreads opset 18 without a word; parity says it where the guard is off."""
    done = toy_run(
        *("--engine=trt", "--infer-device=cuda:0", "-k", "test_outputs"),
        *(f"--infer-host=trt={trt_host}", f"--infer-option=trt.unsafe_opset={opset}"),
        conftest=CENTRED,
    )
    (record,) = done.report["records"]
    is_misread = opset == 18 and record["runtime"]["tensorrt"].startswith("8.")
    assert record["code"] == ("diverged" if is_misread else "match")
