"""The public contract, on each engine of this package that can run."""

from pytest_infer.testing import EngineContract


class TestExecuTorch(EngineContract):
    """ExecuTorch keeps the contract."""

    engine_name = "executorch"


class TestLiteRt(EngineContract):
    """LiteRT keeps the contract."""

    engine_name = "litert"


class TestMnn(EngineContract):
    """MNN keeps the contract."""

    engine_name = "mnn"
