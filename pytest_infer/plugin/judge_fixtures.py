"""The fixtures that judge what an engine did, each by the marks of its test."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.plugin.aliases import aliased

if TYPE_CHECKING:
    from pytest_infer.case import Case
    from pytest_infer.engines.protocol import Evidence
    from pytest_infer.plugin.enforce import Enforce
    from pytest_infer.session.accuracy import Accuracy
    from pytest_infer.session.against import Against
    from pytest_infer.session.baseline_judge import BaselineJudge
    from pytest_infer.session.consistency import Consistency
    from pytest_infer.session.engine import EngineUnderTest
    from pytest_infer.session.latency import Latency, TimedCalls
    from pytest_infer.session.parity import Parity
    from pytest_infer.session.reference import Reference
    from pytest_infer.session.session import InferSession
    from pytest_infer.session.truth import Truth
    from pytest_infer.verdict import Verdict


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
