"""Which processes a timed test needs on a GPU, where none is kept for the next test."""

from types import SimpleNamespace

import pytest

from pytest_infer.case import Case
from pytest_infer.errors import BaselineError
from pytest_infer.plugin.plan import _roles

TIMED = ("infer_engine", "infer_gpu_timer")
GRAPH = (("cuda_graph", True),)


class Baselines:
    """What the cases of a run are compared with."""

    def __init__(self, *, is_gated=False, is_new=False, is_broken=False):
        self.is_gated, self.is_new, self.is_broken = is_gated, is_new, is_broken

    def of(self, case):
        """Return what a case is compared with."""
        assert case.model == "resnet50"
        return self

    def is_stored_anew(self, _case):
        """Return whether it is measured to be stored."""
        return self.is_new

    def gated(self, case):
        """Return its entry."""
        if self.is_broken:
            raise BaselineError("cannot read resnet50.json", why="it is no JSON", mend="mend it")
        return case if self.is_gated else None


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
        (
            (*TIMED, "infer_eager", "infer_eager_replay"),
            Case("resnet50", "eager", "fp32", 1, "cuda:0", GRAPH),
            ["eager"] * 2,
        ),
        (("infer_engine", "infer_eager"), Case("resnet50", "trt", "fp16", 1, "cuda:0"), []),
        ((*TIMED, "infer_baseline"), Case("resnet50", "trt", "fp16", 1, "cuda:0"), ["trt"]),
    ],
)
def test_fresh_hosts_of_a_gpu(fixtures, case, fresh):
    """One for each arm that is timed; eager in fp32 is its own eager."""
    item = SimpleNamespace(fixturenames=fixtures, function=test_fresh_hosts_of_a_gpu)
    roles = list(_roles(item, case, Baselines(), has_companion=False))
    assert [each.engine for each in roles if each.role == "fresh"] == fresh
    assert not [each for each in roles if each.role == "companion"]


@pytest.mark.parametrize(
    ("baselines", "count"),
    [({"is_gated": True}, 1), ({"is_new": True}, 5), ({}, 0), ({"is_broken": True}, 0)],
)
def test_a_gate_measures_in_hosts_of_its_own(baselines, count):
    """One where there is something to compare with, five to store; after what is timed together."""
    fixtures = (*TIMED, "infer_eager", "infer_baseline")
    item = SimpleNamespace(fixturenames=fixtures, function=test_fresh_hosts_of_a_gpu)
    case = Case("resnet50", "trt", "fp16", 1, "cuda:0")
    roles = _roles(item, case, Baselines(**baselines), has_companion=False)
    fresh = [each.engine for each in roles if each.role == "fresh"]
    assert fresh == ["trt", "eager", *["trt"] * count]
