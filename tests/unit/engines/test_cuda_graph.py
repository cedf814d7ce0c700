"""CUDA graphs against a double of the calls of torch.cuda that make them."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from pytest_infer.engines.adapters.eager import ENGINE as EAGER
from pytest_infer.engines.adapters.eager import EagerRunner
from pytest_infer.engines.cuda_graph import CudaGraph
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.engines.torch_runner import TorchRunner
from pytest_infer.errors import LoadError, RunError
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

SPEC = ModelSpec(
    name="toy",
    task="tensor",
    inputs={"image": TensorSpec(("batch", 2))},
    outputs={"scores": TensorSpec(("batch", 2)), "total": TensorSpec(("batch",))},
    source=Source(module="toy"),
)


class Gpu:
    """What torch.cuda was asked, in order; a replay computes again, on what it was captured on."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.writes: float = 1.0
        """The share of the outputs that a replay writes."""
        self.can_capture = True
        self.is_capturing = False
        self.captured: tuple = ()

    def network(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the doubled image and its sums."""
        self.asked.append("call")
        outputs = image * 2, image.sum(1)
        if self.is_capturing:
            if not self.can_capture:
                raise RuntimeError("operation not permitted when stream is capturing")
            self.captured = image, outputs
        return outputs

    def device(self, device):
        """Make a GPU the current one."""
        return self._within(f"device {device}")

    def stream(self, stream):
        """Make a stream the current one."""
        return self._within(stream.name)

    def current_stream(self):
        """Return the stream on which a user would be."""
        return Stream(self, "default")

    def side_stream(self):
        """Return a new stream."""
        return Stream(self, "side")

    def make_graph(self):
        """Return an empty graph."""
        return Replayed(self)

    @contextmanager
    def graph(self, graph):
        """Capture what is called in the block."""
        assert isinstance(graph, Replayed)
        self.asked.append("capture")
        self.is_capturing = True
        yield
        self.is_capturing = False

    @contextmanager
    def _within(self, name: str):
        self.asked.append(f"enter {name}")
        yield
        self.asked.append(f"leave {name}")


class Stream:
    """A stream that can wait for another."""

    def __init__(self, gpu: Gpu, name: str) -> None:
        self.gpu = gpu
        self.name = name

    def wait_stream(self, other: Stream) -> None:
        """Note who waits for whom."""
        self.gpu.asked.append(f"{self.name} waits for {other.name}")


class Replayed:
    """A graph whose replay writes the outputs of the captured call, or a part of them."""

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu

    @torch.inference_mode()  # the device knows nothing of torch's modes
    def replay(self) -> None:
        """Compute from what is in the captured input into the captured outputs."""
        self.gpu.asked.append("replay")
        image, outputs = self.gpu.captured
        for output, value in zip(outputs, (image * 2, image.sum(1)), strict=True):
            written = round(output.numel() * self.gpu.writes)
            output.view(-1)[:written] = value.reshape(-1)[:written]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """Stand in for torch.cuda."""
    gpu = Gpu()
    for name, value in {
        "device": gpu.device,
        "stream": gpu.stream,
        "current_stream": gpu.current_stream,
        "Stream": gpu.side_stream,
        "CUDAGraph": gpu.make_graph,
        "graph": gpu.graph,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return gpu


def _built(**options: bool) -> BuiltEngine:
    graph = Graph(SPEC, "", "digest", GraphRequest("module"))
    request = BuildRequest("fp32", "cpu", {"image": (3, 2)}, options)
    return BuiltEngine("torchscript", graph, request, folder="")


def _runner(gpu: Gpu) -> TorchRunner:
    return TorchRunner(gpu.network, _built(cuda_graph=True), weight_dtypes={"float32"})


def _feeds(first: float) -> dict[str, np.ndarray]:
    return {"image": np.arange(first, first + 6, dtype=np.float32).reshape(3, 2)}


def test_order_of_calls(gpu):
    """Three calls on a side stream that waits and is waited for, then the capture of one more."""
    CudaGraph(gpu.network, [torch.zeros(3, 2)])
    assert gpu.asked == [
        "enter device cpu",
        "side waits for default",
        "enter side",
        "call",
        "call",
        "call",
        "leave side",
        "default waits for side",
        "capture",
        "call",
        "leave device cpu",
    ]


def test_replay_takes_new_inputs(gpu):
    """Inputs are copied to where the captured call reads, and nothing is called again."""
    given = torch.ones(3, 2)
    graph = CudaGraph(gpu.network, [given])
    del gpu.asked[:]
    doubled, sums = graph(torch.full((3, 2), 5.0))
    assert doubled.tolist() == [[10.0, 10.0]] * 3
    assert sums.tolist() == [10.0] * 3
    assert given.tolist() == [[1.0, 1.0]] * 3
    assert gpu.asked == ["replay"]


@pytest.mark.parametrize(("writes", "expected"), [(1.0, True), (0.9, False), (0.0, False)])
def test_replay_that_leaves_elements(gpu, writes, expected):
    """One element that a replay does not write is enough."""
    graph = CudaGraph(gpu.network, [torch.zeros(3, 2)])
    gpu.writes = writes
    assert graph.is_rewriting() is expected


def test_outputs_like_the_marks(gpu):
    """Outputs of zeros, ones or NaN are not taken for what was laid there before."""
    for value in (0.0, 0.5, float("nan")):  # 0.5 doubles to 1
        graph = CudaGraph(gpu.network, [torch.full((3, 2), value)])
        assert graph.is_rewriting()


def test_call_that_cannot_be_captured(gpu):
    """The reason is torch's own."""
    gpu.can_capture = False
    with pytest.raises(LoadError) as caught:
        CudaGraph(gpu.network, [torch.zeros(3, 2)])
    assert str(caught.value) == (
        "cannot capture the call as a CUDA graph\n"
        "  why:  RuntimeError: operation not permitted when stream is capturing\n"
        "  mend: remove copies from and to the host and other synchronization from forward(), "
        "or leave cuda_graph out"
    )


def test_infer_replays(gpu):
    """Inference goes through the replay, with its own feeds each time."""
    runner = _runner(gpu)
    del gpu.asked[:]
    for first in (0.0, 10.0):
        outputs = runner.infer(_feeds(first))
        assert outputs["scores"].tolist() == (_feeds(first)["image"] * 2).tolist()
    assert gpu.asked == ["replay", "replay"]


def test_bound_call_replays(gpu):
    """A bound call is the replay alone, on feeds that were copied before."""
    runner = _runner(gpu)
    call = runner.bind(_feeds(7.0))
    del gpu.asked[:]
    call()
    assert gpu.asked == ["replay"]
    assert gpu.captured[1][1].tolist() == [15.0, 19.0, 23.0]


@pytest.mark.parametrize("writes", [1.0, 0.0])
def test_evidence_of_a_replay(gpu, writes):
    """The setting is proven only if the replay writes the outputs."""
    runner = _runner(gpu)
    gpu.writes = writes
    assert runner.evidence().proven == {"cuda_graph": writes == 1.0}


def test_evidence_without_a_graph(gpu):
    """Without a graph the setting is seen to be off; an engine without it says nothing."""
    runner = TorchRunner(gpu.network, _built(cuda_graph=False), weight_dtypes={"float32"})
    assert runner.evidence().proven == {"cuda_graph": False}
    assert "replay" not in gpu.asked
    assert TorchRunner(gpu.network, _built(), weight_dtypes=()).evidence().proven == {}


def test_feeds_of_another_shape(gpu):
    """What would be broadcast into the captured buffers is refused."""
    runner = _runner(gpu)
    with pytest.raises(RunError) as caught:
        runner.infer({"image": np.zeros((1, 2), np.float32)})
    assert str(caught.value) == (
        "cannot feed image\n"
        "  why:  the engine was built for shape (3, 2), and the feed has shape (1, 2)\n"
        "  mend: feed image in shape (3, 2), or build the engine for another batch"
    )


def test_bound_outputs(gpu):
    """They are what a replay writes; a call that does nothing leaves NaN."""
    runner = _runner(gpu)
    call = runner.bind(_feeds(7.0))
    outputs = runner.bound_outputs(call)
    assert outputs["scores"].tolist() == (_feeds(7.0)["image"] * 2).tolist()
    assert np.isnan(runner.bound_outputs(lambda: None)["scores"]).all()


def test_bound_outputs_without_a_graph(gpu):
    """They are what the bound call returns; one that returns None has none."""
    runner = TorchRunner(gpu.network, _built(), weight_dtypes={"float32"})
    call = runner.bind(_feeds(7.0))
    outputs = runner.bound_outputs(call)
    assert outputs["scores"].tolist() == (_feeds(7.0)["image"] * 2).tolist()
    assert runner.bound_outputs(lambda: None) == {}


def test_eager_replays(gpu):
    """Eager mode takes the setting too: a module is captured, and the bound call is its replay."""
    runner = EagerRunner(Doubling(), _built(cuda_graph=True))
    assert gpu.asked.count("capture") == 1
    call = runner.bind(_feeds(7.0))
    assert call == runner._graph.replay
    assert EAGER.options["cuda_graph"].gpu_only


def test_eager_for_every_shape(gpu):
    """A graph has one shape: there is no eager mode of it for a profile."""
    del gpu
    lack = EAGER.profile_options({"cuda_graph": True, "cudnn_benchmark": False})
    assert (lack.why, lack.mend) == ("a CUDA graph has one shape", "leave eager.cuda_graph out")
    options = {"cuda_graph": False, "cudnn_benchmark": True}
    assert EAGER.profile_options(options) is options


class Doubling(torch.nn.Module):
    """The network of the device, as a module."""

    def forward(self, image):
        """Return the doubled image and its sums."""
        return image * 2, image.sum(1)
