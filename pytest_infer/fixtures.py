"""The fixtures that a test asks for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.stash import state_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.answers import Answers
    from pytest_infer.baseline_judge import BaselineJudge
    from pytest_infer.enforcement import Enforce
    from pytest_infer.engine import Arrays
    from pytest_infer.fuzz import Fuzz
    from pytest_infer.judges import Consistency, Latency, Parity, Reference, TimedCalls, Truth
    from pytest_infer.loaded import LoadedModel
    from pytest_infer.session import InferSession
    from pytest_infer.spec import Case
    from pytest_infer.timer import GpuTimer
    from pytest_infer.under_test import EngineUnderTest
    from pytest_infer.variants import Variants


@pytest.fixture(scope="session")
def infer(pytestconfig: pytest.Config) -> InferSession:
    """What this run's fixtures share: options, hosts, cache."""
    return state_of(pytestconfig).session


@pytest.fixture(scope="session")
def infer_case(request: pytest.FixtureRequest) -> Case:
    """Carry the parameter of `case`, under a name that nobody else parametrizes."""
    chosen: Case = request.param
    return chosen


@pytest.fixture(scope="session")
def case(infer_case: Case) -> Case:
    """The model, engine, precision, batch and device of this test."""
    return infer_case


@pytest.fixture(scope="session")
def model(case: Case, infer: InferSession) -> LoadedModel:
    """The case's model: ``model.spec``, ``model.module``, its labels and postprocessing."""
    from pytest_infer.loaded import LoadedModel

    return LoadedModel(case.model, infer.artefacts)


@pytest.fixture(scope="session")
def feeds(case: Case, infer: InferSession) -> Arrays:
    """The case's named inputs, made from photographs by the model's own preprocessing."""
    return infer.artefacts.feeds(case.model, case.batch)


@pytest.fixture(scope="session")
def reference(case: Case, infer: InferSession) -> Reference:
    """Eager mode's outputs for ``feeds``: ``.fp64``, ``.fp32``, ``.eager`` (the case's own)."""
    from pytest_infer.judges import Reference

    return Reference(case, infer.artefacts)


@pytest.fixture(scope="session")
def engine(case: Case, infer: InferSession) -> Iterator[EngineUnderTest]:
    """The case's engine, built once; calling it with ``feeds`` gives its outputs."""
    from pytest_infer.under_test import under_test

    with under_test(case, infer.artefacts.built(case), infer.hosts) as built:
        yield built


@pytest.fixture(scope="session")
def answers(engine: EngineUnderTest, infer: InferSession) -> Iterator[Answers]:
    """The engine's outputs for every photograph, batch after batch, each inferred once."""
    from pytest_infer.answers import Answers

    found = Answers(engine, infer.artefacts)
    yield found
    found.close()


@pytest.fixture(scope="session")
def eager(case: Case, infer: InferSession) -> Iterator[EngineUnderTest]:
    """Eager mode in fp32 for the same model, batch and device: what a speed-up is over.

    On another machine that lacks the device it runs on the CPU, and there is no speed-up.
    """
    from pytest_infer.under_test import under_test

    rival = infer.artefacts.rival(case, "fp32")
    with under_test(rival, infer.artefacts.built(rival), infer.hosts) as built:
        yield built


@pytest.fixture(scope="session")
def gpu_timer(infer: InferSession) -> GpuTimer:
    """A timer of engines, each in a fresh process; calling it gives `Samples`."""
    return infer.timer


@pytest.fixture
def parity(
    request: pytest.FixtureRequest, case: Case, reference: Reference, infer: InferSession
) -> Parity:
    """The judge of outputs or answers: ``parity(…)``, ``.top_k(…)``, ``.detections(…)``."""
    from pytest_infer.judges import Parity
    from pytest_infer.marks import mark_of
    from pytest_infer.tolerance import tolerance_from_keywords

    tolerance = mark_of(request.node, "tolerance", tolerance_from_keywords)
    explain = infer.explainer.explained if infer.config.localize else None
    drift = partial(infer.with_drift, case)
    return Parity(case, reference, infer.artefacts, tolerance, explain=explain, drift=drift)


@pytest.fixture(scope="session")
def variants(case: Case, infer: InferSession) -> Iterator[Variants]:
    """The case's engine in other ways: permuted, row by row, reopened, rebuilt, beside itself."""
    from pytest_infer.variants import Variants

    ways = Variants(case, infer.artefacts, infer.hosts)
    yield ways
    ways.close()


@pytest.fixture(scope="session")
def fuzz(case: Case, infer: InferSession) -> Iterator[Fuzz]:
    """The case's engine, built once for every shape of its model: ``.shapes()``, ``.sequences()``.

    Also ``fuzz.judge(recipe)``, for a ``@given`` of your own.
    """
    from pytest_infer.fuzz import Fuzz

    found = Fuzz(case, infer.artefacts, infer.hosts, infer.oracle(case), infer.config)
    yield found
    found.close()


@pytest.fixture
def consistency(request: pytest.FixtureRequest, case: Case, reference: Reference) -> Consistency:
    """The judge of outputs that must agree with each other, made by `variants`."""
    from pytest_infer.judges import Consistency
    from pytest_infer.marks import mark_of
    from pytest_infer.tolerance import tolerance_from_keywords

    return Consistency(case, reference, mark_of(request.node, "tolerance", tolerance_from_keywords))


@pytest.fixture
def truth(case: Case, infer: InferSession) -> Truth:
    """The judge of what really ran: ``.precision(evidence)``, ``.placement``, ``.graph()``."""
    from pytest_infer.judges import Truth

    return Truth(case, infer.artefacts)


@pytest.fixture
def infer_timed(request: pytest.FixtureRequest, case: Case, reference: Reference) -> TimedCalls:
    """The judge of what timed calls put out, which `latency` and `baseline` share."""
    from pytest_infer.judges import TimedCalls
    from pytest_infer.marks import mark_of
    from pytest_infer.tolerance import tolerance_from_keywords

    return TimedCalls(case, reference, mark_of(request.node, "tolerance", tolerance_from_keywords))


@pytest.fixture
def latency(
    request: pytest.FixtureRequest, case: Case, infer: InferSession, infer_timed: TimedCalls
) -> Latency:
    """The judge of samples against the test's ``latency_budget``."""
    from pytest_infer.judges import Latency
    from pytest_infer.latency import budget_from_keywords
    from pytest_infer.marks import mark_of

    budget = mark_of(request.node, "latency_budget", budget_from_keywords)
    return Latency(case, budget, lambda: infer.stored_median(case), infer_timed)


@pytest.fixture
def baseline(case: Case, infer: InferSession, infer_timed: TimedCalls) -> BaselineJudge:
    """The judge of an engine against its stored baseline: ``baseline(engine, feeds, samples)``."""
    from pytest_infer.baseline_judge import BaselineJudge

    return BaselineJudge(
        case,
        infer.baselines(case.engine, case.device),
        infer.measurer,
        gated_cases=lambda: infer.gated_cases,
        runtime=lambda: infer.artefacts.runtime(case.engine),
        timed=infer_timed,
    )


@pytest.fixture
def enforce(request: pytest.FixtureRequest, case: Case, infer: InferSession) -> Enforce:
    """Turn verdicts into this test's outcome, and into records for the report."""
    from pytest_infer.enforcement import Enforce

    def origin() -> dict[str, Any]:
        return {
            "device": infer.artefacts.device(case.engine, case.device),
            "runtime": infer.artefacts.runtime(case.engine),
        }

    return Enforce(request.node, case, origin, strict=infer.config.strict)
