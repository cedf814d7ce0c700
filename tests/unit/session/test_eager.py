"""Eager runs again before an engine is blamed: what a module keeps from a call is seen."""

from types import SimpleNamespace

import numpy as np
import pytest

from pytest_infer.case import Case
from pytest_infer.engines.protocol import BuildRequest
from pytest_infer.engines.short_products import AS_NOISE
from pytest_infer.judges.repeatability import judge_repeats
from pytest_infer.session import eager as module
from pytest_infer.session.eager import Eager

CASE = Case("toy", "ort", "fp32", 1, "cpu")


class Stale:
    """Gives what the call before was asked for."""

    kept_from = None

    def __call__(self, asked):
        """Return the answer to the question before."""
        before, self.kept_from = self.kept_from, asked
        return asked if before is None else before


class Opened:
    """Opens a module for each series of calls."""

    make = staticmethod(Stale)

    def __init__(self, _hosts):
        self._module = self.make()

    def kept(self):
        """Let it stay open."""
        from contextlib import nullcontext

        return nullcontext()

    def outputs(self, _built, feeds, _doing):
        """Answer."""
        return {"y": self._module(feeds["x"])}


@pytest.fixture
def repeats(monkeypatch):
    """Run a case again, whose batches hold their own number."""
    monkeypatch.setattr(module, "OpenedEager", Opened)
    monkeypatch.setattr(Eager, "_built", lambda *_: None)
    inputs = SimpleNamespace(
        feeds=lambda _model, _batch, start=0: {"x": np.full(3, start, np.float32)}
    )
    graphs = SimpleNamespace(request=lambda _: SimpleNamespace(is_pruned=False))
    eager = Eager(None, None, inputs=inputs, graphs=graphs, identities=None)
    return lambda: eager.repeats(CASE)


def test_a_module_that_is_one_call_behind(repeats):
    """The same inputs twice in a row would not show it; with others in between they do."""
    found = repeats()
    assert [float(each["y"][0]) for each in found] == [0, 1, 0]
    assert judge_repeats(found, subject="toy").code == "not-deterministic"


def test_a_module_that_keeps_nothing(repeats, monkeypatch):
    """Three times the same."""
    monkeypatch.setattr(Opened, "make", lambda *_: lambda asked: asked)
    assert judge_repeats(repeats(), subject="toy") is None


class Places:
    """Every engine is on one machine."""

    def place(self, engine):
        """Return the machine."""
        del engine
        return SimpleNamespace(machine="here")


@pytest.mark.parametrize(("device", "is_there"), [("cuda:1", True), ("cpu", False)])
def test_replay(device, is_there):
    """On a GPU it is eager in fp32 as a CUDA graph, whatever the case has; a CPU has none."""
    eager = Eager(None, Places(), inputs=None, graphs=None, identities=None)
    case = Case("toy", "trt", "fp16", 4, device, (("sparse", True),))
    expected = Case("toy", "eager", "fp32", 4, device, (("cuda_graph", True),))
    assert eager.replay(case) == (expected if is_there else None)
    assert eager.rival(case, "fp32").options == ()


def test_references_show_what_tf32_loses(monkeypatch):
    """A noise floor is asked for as one: eager's own TF32 may lose nothing, on a CPU for one."""
    monkeypatch.setattr(
        module, "build_request", lambda case: BuildRequest(case.precision, "cpu", {})
    )
    graphs = SimpleNamespace(
        request=lambda _: SimpleNamespace(is_pruned=False),
        wide_module=lambda _, **_kw: None,
    )
    eager = Eager(None, Places(), inputs=None, graphs=graphs, identities=None)
    assert eager.profiled(CASE, "tf32").request == BuildRequest("tf32", "cpu", {}, {AS_NOISE: True})
