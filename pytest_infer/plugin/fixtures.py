"""The fixtures that give a test its case, and what belongs to it: model, feeds, engine, timer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.errors import CaseError, InferError
from pytest_infer.plugin.aliases import aliased
from pytest_infer.plugin.state import state_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import Case
    from pytest_infer.fuzzing.fuzz import Fuzz
    from pytest_infer.fuzzing.oracles import Oracles
    from pytest_infer.session.answers import Answers
    from pytest_infer.session.engine import EngineUnderTest
    from pytest_infer.session.model import LoadedModel
    from pytest_infer.session.reference import Reference
    from pytest_infer.session.session import InferSession
    from pytest_infer.session.timer import GpuTimer
    from pytest_infer.session.variants import Variants


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
    """A timer of engines, each in a process of its own; calling it gives `Samples`."""
    return infer.timer


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
