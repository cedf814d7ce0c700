"""Which processes a timed test needs on a GPU, where none is kept for the next test."""

from types import SimpleNamespace

import pytest

from pytest_infer.case import Case
from pytest_infer.plugin.plan import _roles

TIMED = ("infer_engine", "infer_gpu_timer")
GRAPH = (("cuda_graph", True),)


@pytest.mark.parametrize(
    ("fixtures", "case", "fresh"),
    [
        (TIMED, Case("resnet50", "trt", "fp16", 1, "cuda:0"), ["trt"]),
        ((*TIMED, "infer_eager"), Case("resnet50", "trt", "fp16", 1, "cuda:0"), ["trt", "eager"]),
        ((*TIMED, "infer_eager"), Case("resnet50", "eager", "fp32", 1, "cuda:0"), ["eager"]),
        (
            (*TIMED, "infer_eager"),
            Case("resnet50", "eager", "fp32", 1, "cuda:0", GRAPH),
            ["eager"] * 2,
        ),
        (
            (*TIMED, "infer_eager", "infer_eager_replay"),
            Case("resnet50", "trt", "fp16", 1, "cuda:0"),
            ["trt", "eager", "eager"],
        ),
        (("infer_engine", "infer_eager"), Case("resnet50", "trt", "fp16", 1, "cuda:0"), []),
        ((*TIMED, "infer_baseline"), Case("resnet50", "trt", "fp16", 1, "cuda:0"), ["trt"]),
    ],
)
def test_fresh_hosts_of_a_gpu(fixtures, case, fresh):
    """One for each arm that is timed; eager in fp32 is its own eager."""
    item = SimpleNamespace(fixturenames=fixtures, function=test_fresh_hosts_of_a_gpu)
    roles = list(_roles(item, case, has_companion=False, is_gated=False))
    assert [each.engine for each in roles if each.role == "fresh"] == fresh
    assert not [each for each in roles if each.role == "companion"]


def test_a_gate_measures_in_a_host_of_its_own():
    """Where there is something to compare with, after what is timed together."""
    fixtures = (*TIMED, "infer_eager", "infer_baseline")
    item = SimpleNamespace(fixturenames=fixtures, function=test_fresh_hosts_of_a_gpu)
    case = Case("resnet50", "trt", "fp16", 1, "cuda:0")
    roles = _roles(item, case, has_companion=False, is_gated=True)
    assert [each.engine for each in roles if each.role == "fresh"] == ["trt", "eager", "trt"]
