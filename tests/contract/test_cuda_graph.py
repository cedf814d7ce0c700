"""The public contract on engines that replay a CUDA graph, where there is a GPU."""

from __future__ import annotations

from typing import ClassVar

from pytest_infer.testing import EngineContract
from pytest_infer.testing.contract import MODEL


class CudaGraphContract(EngineContract):
    """What an engine promises besides when its call is a graph."""

    device = "cuda:0"
    options: ClassVar = {"cuda_graph": True}

    def test_is_a_replay(self, able, opened):
        """A replay writes every output, in every precision."""
        for precision in able:
            assert opened(precision, 3).evidence().proven["cuda_graph"] is True

    def test_reads_new_feeds(self, run, able, opened):
        """Each call computes from its own feeds, also after the evidence has filled the outputs."""
        engine = opened(able[0], 3)
        feeds = run.artefacts.models.feeds(MODEL, 3)
        other = {name: -values for name, values in feeds.items()}
        first, second = engine(feeds), engine(other)
        engine.evidence()
        third = engine(feeds)
        for name, values in first.items():
            assert (values == third[name]).all()
            assert (values != second[name]).any()


class TestCompile(CudaGraphContract):
    """What Inductor has compiled keeps the contract as a CUDA graph."""

    engine_name = "compile"


class TestTorchScript(CudaGraphContract):
    """A traced module keeps the contract as a CUDA graph."""

    engine_name = "torchscript"


class TestEager(CudaGraphContract):
    """A module as it is keeps the contract as a CUDA graph."""

    engine_name = "eager"
