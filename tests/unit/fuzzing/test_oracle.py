"""What eager says of an engine's outputs, and what such a comparison proves."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_infer.case import Case
from pytest_infer.engines.protocol import BuiltEngine
from pytest_infer.fuzzing.oracle import JITTERS, Oracle, _far
from pytest_infer.fuzzing.recipe import Recipe
from pytest_infer.graphs.graph import Graph, GraphRequest
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

SPEC = ModelSpec(
    "net",
    "tensor",
    {"x": TensorSpec(("batch", 4))},
    {"y": TensorSpec(("batch", 4))},
    Source(module="net"),
)
GRAPH = Graph(SPEC, "", "digest", GraphRequest("module"))
RECIPE = Recipe((("batch", 3),))
FEEDS = RECIPE.feeds(SPEC, {})
ERROR = 1e-6
"""The relative error of eager in fp32, unless a test says otherwise."""


class Eager:
    """Scales its input, with an error; counts its calls."""

    def __init__(self, errors):
        self.errors = errors
        self.calls = 0
        self.built = BuiltEngine("eager", GRAPH, None, "")

    def __call__(self, feeds):
        """Return the scaled input; the first call has the first error."""
        error = self.errors[min(self.calls, len(self.errors) - 1)]
        self.calls += 1
        return {"y": WEIGHTS * feeds["x"].astype(np.float64) * (1 + error * PATTERN)}

    def close(self):
        """Do nothing."""


PATTERN = np.array([1, -1, 1, -1])
WEIGHTS = np.arange(1, 5)


@pytest.fixture
def oracle(monkeypatch):
    """Make an oracle of eager engines with these errors in fp32."""

    def make(*errors, precision="fp32"):
        engines = {"fp64": Eager([0.0]), precision: Eager(errors or (ERROR,))}
        monkeypatch.setattr(
            "pytest_infer.fuzzing.oracle.under_test",
            lambda _, precision, __: nullcontext(engines[precision]),
        )
        eager = SimpleNamespace(rival=lambda case, _: case, profiled=lambda _, precision: precision)
        case = Case("net", "ort", precision, 1, "cpu")
        return Oracle(case, eager, None), engines[precision]

    return make


def outputs(error=0.0, feeds=FEEDS):
    """Return what an engine with such an error puts out."""
    return {"y": (WEIGHTS * feeds["x"].astype(np.float64) * (1 + error)).astype(np.float32)}


def test_right_and_wrong(oracle):
    """An engine as good as eager passes; one a thousand times as wrong fails, whoever it is."""
    judge, _ = oracle()
    right = judge.judge(RECIPE, FEEDS, outputs(), subject="right")
    assert (right.verdict.status, right.worth) == ("pass", "judged")
    wrong = judge.judge(RECIPE, FEEDS, outputs(1e-3), subject="wrong")
    assert (wrong.verdict.code, wrong.worth) == ("diverged", "judged")
    assert wrong.verdict.message.startswith("wrong: 'y' diverged")


def test_eager_is_asked_once(oracle):
    """Another engine that is fed the same is compared with what is known already."""
    judge, eager = oracle()
    for _ in range(3):
        judge.judge(RECIPE, FEEDS, outputs())
    assert eager.calls == 1


def test_luck_of_one_run_is_not_held_against_an_engine(oracle):
    """Where eager is exact once and worse on the next roundings, the worst of them counts."""
    judge, eager = oracle(1e-9, 1e-9, 3e-6)
    assert judge.judge(RECIPE, FEEDS, outputs(4e-6)).verdict.status == "pass"
    assert eager.calls == 2 + JITTERS
    assert judge.judge(RECIPE, FEEDS, outputs(1e-4)).verdict.code == "diverged"


@pytest.mark.parametrize("values", ["nan", "infinity"])
def test_poisoned_row_is_not_judged(oracle, values):
    """Nobody knows what comes of it; the rows beside it must be as ever."""
    judge, _ = oracle()
    recipe = Recipe((("batch", 3),), values)
    feeds = recipe.feeds(SPEC, {})
    found = outputs(feeds=feeds)
    found["y"][-1] = 7
    assert judge.judge(recipe, feeds, found).verdict.status == "pass"
    found["y"][0] = np.nan
    assert judge.judge(recipe, feeds, found).verdict.code == "not-finite"


def test_zeros_prove_little(oracle):
    """Against zeros, an engine that is near them passes as vacuous; any other fails."""
    judge, _ = oracle()
    recipe = Recipe((("batch", 3),), "zeros")
    feeds = recipe.feeds(SPEC, {})
    near = judge.judge(recipe, feeds, {"y": np.full((3, 4), 1e-39, np.float32)})
    assert (near.verdict.status, near.worth) == ("pass", "vacuous")
    for value in (1e-3, np.nan):
        far = judge.judge(recipe, feeds, {"y": np.full((3, 4), value, np.float32)})
        assert far.verdict.code == "diverged"


@pytest.mark.parametrize("error", [1e-3, float("nan")])
def test_where_eager_fails_nothing_is_defined(oracle, error):
    """Where eager is beyond the ceiling or overflows, only names and shapes are judged."""
    judge, _ = oracle(error)
    found = judge.judge(RECIPE, FEEDS, outputs(0.1))
    assert (found.verdict.status, found.worth) == ("pass", "undefined")
    assert judge.judge(RECIPE, FEEDS, {}).verdict.code == "missing-output"
    codes = {True: "not-finite", False: "undefined"}
    overflow = judge.judge(RECIPE, FEEDS, outputs(float("nan")))
    assert overflow.verdict.code == codes[np.isfinite(error)]


def test_worst_run_of_eager_may_be_beyond_the_ceiling(oracle):
    """Where eager is right by luck, and far from it on the next rounding, nothing is defined."""
    judge, _ = oracle(1e-9, 1e-9, 1e-3)
    assert judge.judge(RECIPE, FEEDS, outputs(1e-3)).worth == "undefined"


def test_scores_beside_a_constant_output_have_their_own_scale():
    """One output proves nothing; in the other, scores beside boxes may be off as scores."""
    draw = np.random.default_rng(0)
    boxes = np.array([640, 640, 1, 1]).reshape(1, -1, 1) * draw.uniform(0.1, 0.9, (2, 4, 50))
    truth = {"found": boxes, "flag": np.ones((2, 3))}
    eager = truth | {"found": boxes * (1 + draw.normal(0, 3e-3, boxes.shape))}
    assert _far(eager, truth, eager, "bf16", "engine") is None
    wrong = eager["found"].copy()
    wrong[1, 3, 7] += 0.12
    verdict = _far(eager | {"found": wrong}, truth, eager, "bf16", "engine")
    assert verdict.code == "diverged"
    assert "'found' at 2 to 3 of axis 1" in verdict.message
