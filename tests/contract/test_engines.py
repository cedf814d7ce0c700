"""The public contract, run on every engine of this package and on the fake."""

from __future__ import annotations

from typing import ClassVar

import pytest

from pytest_infer.engines import registry as engines
from pytest_infer.testing import EngineContract, FakeEngine

engines.register(FakeEngine("fake-of-eager"))


class TestEager(EngineContract):
    """PyTorch eager mode keeps the contract."""

    engine_name = "eager"


class TestTorchScript(EngineContract):
    """TorchScript keeps the contract."""

    engine_name = "torchscript"


class TestCompile(EngineContract):
    """A package of AOTInductor's keeps the contract."""

    engine_name = "compile"


@pytest.mark.nightly
class TestCompileProgram(EngineContract):
    """A program with its caches keeps the contract."""

    engine_name = "compile"
    options: ClassVar = {"artefact": "program"}


class TestOrt(EngineContract):
    """ONNX Runtime keeps the contract."""

    engine_name = "ort"


class TestOrtCuda(EngineContract):
    """ONNX Runtime's CUDA provider keeps the contract, where there is a GPU."""

    engine_name = "ort"
    device = "cuda:0"


class TestFake(EngineContract):
    """The fake engine without faults keeps the contract."""

    engine_name = "fake-of-eager"


class TestTensorRt(EngineContract):
    """TensorRT keeps the contract, where there is a GPU."""

    engine_name = "trt"
    device = "cuda:0"


class TestTorchTensorRt(EngineContract):
    """Torch-TensorRT keeps the contract, where there is a GPU."""

    engine_name = "torch-trt"
    device = "cuda:0"


class TestCompileOnGpu(EngineContract):
    """A program with its caches keeps the contract, where there is a GPU."""

    engine_name = "compile"
    device = "cuda:0"


class TestCompileDynamicBatch(EngineContract):
    """A program for every batch keeps the contract, where there is a GPU."""

    engine_name = "compile"
    device = "cuda:0"
    options: ClassVar = {"dynamic_batch": True}


class TestOpenVino(EngineContract):
    """OpenVINO keeps the contract."""

    engine_name = "openvino"


class TestTvm(EngineContract):
    """TVM keeps the contract on the CPU."""

    engine_name = "tvm"
