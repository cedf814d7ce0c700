"""Which engines may choose kernels by their times when they are opened."""

import pytest

from pytest_infer.engines import registry
from pytest_infer.engines.protocol import BuildRequest, TunesWhenOpened

GRAPH, BENCHMARK = {"cuda_graph": True}, {"cudnn_benchmark": True}
AUTO = {"artefact": "auto"}


@pytest.mark.parametrize(
    ("engine", "device", "options", "expected"),
    [
        ("eager", "cuda:0", {}, False),
        ("eager", "cuda:0", GRAPH, False),
        ("eager", "cuda:0", BENCHMARK, False),
        ("eager", "cuda:0", GRAPH | BENCHMARK, True),
        ("torchscript", "cuda:0", GRAPH, False),
        ("torchscript", "cuda:0", GRAPH | BENCHMARK, True),
        ("compile", "cuda:0", AUTO, True),
        ("compile", "cuda:0", {"artefact": "package"}, False),
        ("compile", "cpu", AUTO, False),
    ],
)
def test_kernels_that_are_timed_at_opening(engine, device, options, expected):
    """cuDNN's, if a graph is captured then; Inductor's, if a program is compiled then."""
    adapter = registry.find(engine)
    assert isinstance(adapter, TunesWhenOpened)
    request = BuildRequest("fp32", device, {}, options)
    assert adapter.tunes_when_opened(request) is expected


@pytest.mark.parametrize("engine", ["ort", "trt", "tvm", "openvino"])
def test_others_time_none(engine):
    """They load what was built, and time kernels at the first call or never."""
    assert not isinstance(registry.find(engine), TunesWhenOpened)
