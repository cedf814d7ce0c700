"""The fixtures that a test asks for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.errors import CaseError, InferError
from pytest_infer.plugin.aliases import aliased
from pytest_infer.plugin.state import state_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import Case
    from pytest_infer.engines.protocol import Evidence
    from pytest_infer.fuzzing.fuzz import Fuzz
    from pytest_infer.fuzzing.oracles import Oracles
    from pytest_infer.plugin.enforce import Enforce
    from pytest_infer.session.accuracy import Accuracy
    from pytest_infer.session.against import Against
    from pytest_infer.session.answers import Answers
    from pytest_infer.session.baseline_judge import BaselineJudge
    from pytest_infer.session.consistency import Consistency
    from pytest_infer.session.engine import EngineUnderTest
    from pytest_infer.session.latency import Latency, TimedCalls
    from pytest_infer.session.model import LoadedModel
    from pytest_infer.session.parity import Parity
    from pytest_infer.session.reference import Reference
    from pytest_infer.session.session import InferSession
    from pytest_infer.session.timer import GpuTimer
    from pytest_infer.session.truth import Truth
    from pytest_infer.session.variants import Variants
    from pytest_infer.verdict import Verdict


@pytest.fixture(scope="session")
def infer(pytestconfig: pytest.Config) -> InferSession:
    """What this run's fixtures share: options, hosts, cache."""
    return state_of(pytestconfig).session


@pytest.fixture(scope="session")
def infer_matrix_case(request: pytest.FixtureRequest) -> Case:
    """Carry the parameter of `infer_case`, which a suite may replace by a case that it makes."""
    from pytest_infer.session.wanted_models import Broken

    chosen: Case | Broken | InferError | None = getattr(request, "param", None)
    if chosen is None:
        raise CaseError(
            "this test has no case: it was not parametrized",
            why="pytest cannot parametrize a method of a unittest.TestCase, nor a test that gets "
            "its fixtures only by request.getfixturevalue",
            mend="make it a function, or a method of a class that is no TestCase, which has the "
            "fixture as an argument",
        )
    if isinstance(chosen, Broken):
        raise chosen.error
    if isinstance(chosen, InferError):
        raise chosen
    return chosen


@aliased("session")
def infer_case(infer_matrix_case: Case) -> Case:
    """The model, engine, precision, batch and device of this test."""
    return infer_matrix_case


@aliased("session")
def infer_model(infer_case: Case, infer: InferSession) -> LoadedModel:
    """The case's model: ``model.spec``, ``model.module``, its labels and postprocessing."""
    from pytest_infer.session.model import LoadedModel

    return LoadedModel(infer_case.model, infer.artefacts.models, infer.artefacts.graphs)


@aliased("session")
def infer_feeds(infer_case: Case, infer: InferSession) -> Arrays:
    """The case's named inputs, made from photographs by the model's own preprocessing."""
    return infer.artefacts.models.feeds(infer_case.model, infer_case.batch)


@aliased("session")
def infer_reference(infer_case: Case, infer: InferSession) -> Reference:
    """Eager mode's outputs for ``feeds``: ``.fp64``, ``.fp32``, ``.eager`` (the case's own)."""
    from pytest_infer.session.reference import Reference

    return Reference(infer_case, infer.artefacts.eager)


@aliased("session")
def infer_engine(infer_case: Case, infer: InferSession) -> Iterator[EngineUnderTest]:
    """The case's engine, built once; calling it with ``feeds`` gives its outputs."""
    from pytest_infer.session.engine import under_test

    found = infer.artefacts.engines.of(infer_case)
    if infer.kept_artifacts:
        infer.kept_artifacts.keep(infer_case, found)
    with under_test(infer_case, found, infer.hosts) as built:
        yield built


@aliased("session")
def infer_answers(infer_engine: EngineUnderTest, infer: InferSession) -> Iterator[Answers]:
    """The engine's outputs for every photograph, batch after batch, each inferred once."""
    from pytest_infer.session.answers import Answers

    found = Answers(infer_engine, infer.artefacts.models, infer.artefacts.eager)
    yield found
    found.close()


@aliased("session")
def infer_eager(infer_case: Case, infer: InferSession) -> Iterator[EngineUnderTest | None]:
    """Eager mode in fp32 for the same model, batch and device: what a speed-up is over.

    On another machine that lacks the device it runs on the CPU, and there is no speed-up. A model
    that is an ONNX file has no eager mode: it is None, which the timer and the judge take.
    """
    from pytest_infer.models.registry import find
    from pytest_infer.session.engine import under_test

    if find(infer_case.model).spec.onnx is not None:
        yield None
        return
    rival = infer.artefacts.eager.rival(infer_case, "fp32")
    with under_test(rival, infer.artefacts.engines.of(rival), infer.hosts) as built:
        yield built


@aliased("session")
def infer_eager_replay(infer_case: Case, infer: InferSession) -> Iterator[EngineUnderTest | None]:
    """Eager mode in fp32 as a replayed CUDA graph, whose time is the GPU's and not the host's.

    It is None on a CPU, which replays nothing, and for a model that is an ONNX file.
    """
    from pytest_infer.models.registry import find
    from pytest_infer.session.engine import under_test

    is_file = find(infer_case.model).spec.onnx is not None
    rival = None if is_file else infer.artefacts.eager.replay(infer_case)
    if rival is None:
        yield None
        return
    with under_test(rival, infer.artefacts.engines.of(rival), infer.hosts) as built:
        yield built


@aliased("session")
def infer_gpu_timer(infer: InferSession) -> GpuTimer:
    """A timer of engines, each in a fresh process; calling it gives `Samples`."""
    return infer.timer


@aliased()
def infer_parity(
    request: pytest.FixtureRequest,
    infer_case: Case,
    infer_reference: Reference,
    infer: InferSession,
) -> Parity:
    """The judge of outputs or answers: ``parity(…)``, ``.task(…)``."""
    from pytest_infer.judges.tolerance import tolerance_from_keywords
    from pytest_infer.plugin.collection import judged_case
    from pytest_infer.plugin.marks import mark_of
    from pytest_infer.session.parity import Parity

    tolerance = mark_of(request.node, "tolerance", tolerance_from_keywords)
    explain = infer.explainer.explained if infer.config.localize else None
    drift = partial(infer.baselines.with_drift, judged_case(request.node, infer_case))
    more: dict[str, Any] = {}
    if infer.config.int8_loss:
        more["add_loss"] = infer.quantization_loss.added
    return Parity(
        infer_case,
        infer_reference,
        infer.artefacts.models,
        tolerance,
        explain=explain,
        has_photographs=infer.config.has_photographs,
        drift=drift,
        **more,
    )


@aliased("session")
def infer_variants(infer_case: Case, infer: InferSession) -> Iterator[Variants]:
    """The case's engine in other ways: permuted, row by row, reopened, rebuilt, beside itself."""
    from pytest_infer.session.variants import Variants

    ways = Variants(infer_case, infer.artefacts, infer.hosts)
    yield ways
    ways.close()


@pytest.fixture(scope="session")
def infer_oracles(infer: InferSession) -> Oracles:
    """Eager mode for every shape of a model, which `fuzz` shares between engines."""
    from pytest_infer.fuzzing.oracles import Oracles

    return Oracles(infer.artefacts, infer.hosts)


@aliased("session")
def infer_fuzz(infer_case: Case, infer: InferSession, infer_oracles: Oracles) -> Iterator[Fuzz]:
    """The case's engine, built once for every shape of its model: ``.shapes()``, ``.sequences()``.

    Also ``fuzz.judge(recipe)``, for your own ``@given``.
    """
    from pytest_infer.fuzzing.fuzz import Fuzz

    oracle = infer_oracles.of(infer_case)
    found = Fuzz(infer_case, infer.artefacts, infer.hosts, oracle, infer.config)
    yield found
    found.close()


@aliased()
def infer_consistency(
    request: pytest.FixtureRequest, infer_case: Case, infer: InferSession
) -> Consistency:
    """The judge of outputs that must agree with each other, made by `variants`."""
    from pytest_infer.judges.tolerance import tolerance_from_keywords
    from pytest_infer.plugin.marks import mark_of
    from pytest_infer.session.consistency import Consistency
    from pytest_infer.session.reference import Reference
    from pytest_infer.session.variants import with_rows

    reference = Reference(with_rows(infer_case), infer.artefacts.eager)
    tolerance = mark_of(request.node, "tolerance", tolerance_from_keywords)
    return Consistency(infer_case, reference, tolerance)


@aliased()
def infer_truth(request: pytest.FixtureRequest, infer_case: Case, infer: InferSession) -> Truth:
    """The judge of what really ran: ``.precision(evidence)``, ``.placement``, ``.graph()``."""
    from pytest_infer.plugin.attachments import are_wanted
    from pytest_infer.session.truth import Truth

    if not (infer.config.has_photographs or are_wanted(request.config)):
        return Truth(infer_case, infer.artefacts.graphs)

    def drawn(verdict: Verdict, evidence: Evidence) -> Verdict:
        engine: EngineUnderTest = request.getfixturevalue("infer_engine")
        return infer.drawings.added(verdict, infer_case, evidence, engine.layers)

    return Truth(infer_case, infer.artefacts.graphs, drawn)


@pytest.fixture
def infer_timed(
    request: pytest.FixtureRequest, infer_case: Case, infer_reference: Reference
) -> TimedCalls:
    """The judge of what timed calls put out, which `latency` and `baseline` share."""
    from pytest_infer.judges.tolerance import tolerance_from_keywords
    from pytest_infer.plugin.marks import mark_of
    from pytest_infer.session.latency import TimedCalls

    tolerance = mark_of(request.node, "tolerance", tolerance_from_keywords)
    return TimedCalls(infer_case, infer_reference, tolerance)


@aliased()
def infer_accuracy(
    request: pytest.FixtureRequest, infer_case: Case, infer: InferSession
) -> Accuracy:
    """The judge of answers to held-out rows, beside eager's in fp32: ``accuracy(engine)``.

    A test that uses it runs only for models that have an evaluation set.
    """
    from pytest_infer.judges.accuracy import accuracy_from_keywords
    from pytest_infer.plugin.marks import mark_of
    from pytest_infer.session.accuracy import Accuracy

    return Accuracy(infer_case, infer, mark_of(request.node, "accuracy", accuracy_from_keywords))


@aliased()
def infer_latency(
    request: pytest.FixtureRequest, infer_case: Case, infer: InferSession, infer_timed: TimedCalls
) -> Latency:
    """The judge of samples against the test's ``latency_budget`` and ``resource_budget``."""
    from pytest_infer.judges.budget import budget_from_keywords
    from pytest_infer.judges.growth import resource_budget_from_keywords
    from pytest_infer.plugin.collection import judged_case
    from pytest_infer.plugin.marks import mark_of
    from pytest_infer.session.latency import Latency

    budget = mark_of(request.node, "latency_budget", budget_from_keywords)
    resources = mark_of(request.node, "resource_budget", resource_budget_from_keywords)
    judged = judged_case(request.node, infer_case)
    growth = partial(infer.baselines.with_growth, judged, resources)
    more: dict[str, Any] = {}
    if infer.config.profile:
        more["profiled"] = partial(infer.profiler.added, case=infer_case)
    return Latency(
        judged, budget, lambda: infer.baselines.stored_median(judged), infer_timed, growth, **more
    )


@aliased()
def infer_baseline(
    request: pytest.FixtureRequest, infer_case: Case, infer: InferSession, infer_timed: TimedCalls
) -> BaselineJudge:
    """The judge of an engine against its stored baseline: ``baseline(engine, feeds, samples)``."""
    from pytest_infer.plugin.collection import judged_case
    from pytest_infer.session.baseline_judge import BaselineJudge
    from pytest_infer.session.kept_timings import keep_timings

    baselines = infer.baselines.of(infer_case)
    return BaselineJudge(
        judged_case(request.node, infer_case),
        baselines,
        infer.gate_timer,
        gated_cases=lambda: infer.gated_cases,
        runtime=lambda: infer.artefacts.identities.runtime(infer_case.engine),
        timed=infer_timed,
        keep_timings=lambda: keep_timings(infer_case, infer.hosts, baselines),
    )


@aliased()
def infer_against(
    request: pytest.FixtureRequest,
    infer_case: Case,
    infer: InferSession,
    infer_reference: Reference,
    infer_timed: TimedCalls,
) -> Against:
    """The judge of an engine beside itself in another environment: ``.outputs()``, ``.speed()``.

    A test that uses it runs only for the engines that ``--infer-against`` names.
    """
    from pytest_infer.judges.tolerance import tolerance_from_keywords
    from pytest_infer.plugin.marks import mark_of
    from pytest_infer.session.against import Against

    tolerance = mark_of(request.node, "tolerance", tolerance_from_keywords)
    return Against(infer_case, infer, infer_reference, tolerance, infer_timed)


@aliased()
def infer_enforce(request: pytest.FixtureRequest, infer_case: Case, infer: InferSession) -> Enforce:
    """Turn verdicts into this test's outcome, and into records for the report."""
    from pytest_infer.plugin.collection import judged_case
    from pytest_infer.plugin.enforce import Enforce

    def origin() -> dict[str, Any]:
        return {
            "device": infer.artefacts.identities.device(infer_case.engine, infer_case.device),
            "runtime": infer.artefacts.identities.runtime(infer_case.engine),
        }

    judged = judged_case(request.node, infer_case)
    return Enforce(request.node, judged, origin, strict=infer.config.strict)
