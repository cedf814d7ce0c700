"""How one measurement for the gate is taken, on a host that is not real."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_infer.case import Case
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.session.gate_timer import REFERENCE_NET, GateTimer
from pytest_infer.session.timed_arm import CallCounts
from pytest_infer.timing.measurement import ENGINE, REFERENCE, STORED, Measurement

CASE = Case("toy", "trt", "fp16", 1, "cuda:0")
FEEDS = {"x": np.zeros((1, 3))}
ANSWER = {"y": np.zeros(3)}
FOUND = Measurement(theta=1.0, rho=2.0, engine_ms=3.0, kept=12, dropped={}, duet=None)


class World:
    """A pool with one host, a lock, and what is built."""

    def __init__(self):
        self.told, self.opened = [], []
        self.engines = SimpleNamespace(of=lambda case: built(case.model))
        self.models = SimpleNamespace(feeds=lambda *wanted: wanted)

    @contextmanager
    def held(self, engines):
        """Hold the device."""
        self.told.append(f"held for {', '.join(engines)}")
        yield lambda: self.told.append("quiet")
        self.told.append("free")

    @contextmanager
    def fresh(self, engine, threads):
        """Start a host."""
        self.told.append(f"fresh {engine} with {threads} threads")
        yield self
        self.told.append("ended")

    def call(self, operation, /, *, error, doing, **arguments):
        """Return what a host would."""
        del error
        assert doing == "measure toy-trt-fp16-b1"
        self.told.append(operation)
        if operation == "engine.open":
            self.opened.append(arguments["built"].folder)
            return len(self.opened)
        if operation == "engine.measure":
            self.arms = {
                name: self.opened[runner - 1] for name, runner in arguments["arms"].items()
            }
        answers = {
            "engine.infer": ANSWER,
            "engine.measure": FOUND,
            "engine.look": {"timed": ANSWER, "after": ANSWER},
        }
        return answers.get(operation)


def built(folder):
    """Return an engine that lies in a folder."""
    return BuiltEngine("trt", None, BuildRequest("fp16", "cuda:0", {}), folder)


@pytest.fixture
def world():
    """Return where measurements are taken."""
    return World()


def test_a_measurement(world):
    """Libraries are imported while hosts are started ahead; the rest is done in quiet."""
    measure = GateTimer(world, world, CallCounts(), world.held)
    found = measure(SimpleNamespace(case=CASE, built=built("mine")), FEEDS)
    assert (found.theta, found.look.is_seen) == (1.0, True)
    assert world.told == [
        *("held for trt", "fresh trt with 0 threads", "engine.import_libraries", "quiet"),
        *["engine.open", "engine.bind"] * 2,
        *("engine.infer", "engine.measure", "engine.look", "ended", "free"),
    ]
    assert world.arms == {ENGINE: "mine", REFERENCE: REFERENCE_NET}


def test_beside_the_stored_artefact(world):
    """It is a third arm of the same process."""
    measure = GateTimer(world, world, CallCounts(), world.held)
    measure(SimpleNamespace(case=CASE, built=built("mine")), FEEDS, "kept")
    assert world.arms == {ENGINE: "mine", REFERENCE: REFERENCE_NET, STORED: "kept"}
