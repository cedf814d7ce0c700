"""The public contract, run on every engine of this package and on the fake."""

from __future__ import annotations

from pytest_infer import engines
from pytest_infer.testing import EngineContract, FakeEngine

engines.register(FakeEngine("fake-of-eager"))


class TestEager(EngineContract):
    """PyTorch eager mode keeps the contract."""

    engine_name = "eager"


class TestTorchScript(EngineContract):
    """TorchScript keeps the contract."""

    engine_name = "torchscript"


class TestOrt(EngineContract):
    """ONNX Runtime keeps the contract."""

    engine_name = "ort"


class TestFake(EngineContract):
    """The fake engine without faults keeps the contract."""

    engine_name = "fake-of-eager"


class TestTensorRt(EngineContract):
    """TensorRT keeps the contract, where there is a GPU."""

    engine_name = "trt"
    device = "cuda:0"


class TestTvm(EngineContract):
    """TVM keeps the contract on the CPU."""

    engine_name = "tvm"
