"""Give each test its part of the matrix, and count the rest."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from pytest_infer.border import border
from pytest_infer.errors import InferError, NoCaseError, OptionError
from pytest_infer.models import registry as models
from pytest_infer.plugin.marks import experiment_of, mark_of, narrowing_of
from pytest_infer.plugin.state import FIXTURE
from pytest_infer.session.wanted_models import Broken

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

    from pytest_infer.case import Case
    from pytest_infer.plugin.marks import Narrowing
    from pytest_infer.plugin.state import State

NO_CASE = "no-case"
FUZZ = "fuzz"
"""The mark of shape-fuzzing tests."""

SEARCHES = "infer_fuzz"
"""The fixture of such tests."""


COMPARES = "infer_against"
"""The fixture of tests that compare environments."""

EVALUATES = "infer_accuracy"
"""The fixture of tests that need a model with an evaluation set."""


Parameter: TypeAlias = "Case | Broken | InferError | None"
"""What a test is given: a case, a model that cannot be read, why there is no matrix, or None where
its marks leave no case."""


def parameters_for(definition: pytest.Item, state: State) -> list[Parameter]:
    """Return what a test function is parametrized by; what is wrong with its marks is kept."""
    try:
        with border("find the cases to test"):
            experiment = experiment_of(definition)
            session = state.session
            matrix = session.experiment(experiment) if experiment else session.matrix
    except NoCaseError as error:
        return [error]
    except InferError as error:
        state.errors.append(error)
        return []
    try:
        narrowing = _narrowing(definition)
        if experiment is None:
            session.wants.append(narrowing.wants)
        cases = matrix.cases
        if COMPARES in getattr(definition, "fixturenames", ()):
            if not state.session.config.against:
                return [None]
            cases = tuple(case for case in cases if case.engine in state.session.config.against)
        broken: Sequence[Broken] = matrix.broken
        asked = len(matrix.cases)
        if EVALUATES in getattr(definition, "fixturenames", ()):
            cases = evaluated(cases)
            asked, broken = len(cases), ()  # whether a broken model has a set is not known
        wanted = [case for case in cases if narrowing.wants(case)]
        broken = [each for each in broken if narrowing.wants_model(each.model)]
    except InferError as error:
        state.errors.append(error)
        return [None]
    state.coverage.narrowed += asked - len(wanted)
    if not state.session.config.thorough:
        chosen = narrowing.chosen(wanted)
        state.coverage.once += len(wanted) - len(chosen)
        wanted = chosen
    return [*wanted, *broken] or [None]


def id_of(parameter: Parameter) -> str:
    """Return the part of a test's id that names its case."""
    if isinstance(parameter, Broken):
        return f"{parameter.model}-unread"
    return NO_CASE if parameter is None or isinstance(parameter, InferError) else parameter.id


def case_of(item: pytest.Item) -> Case | None:
    """Return the case of a collected test, if it has one."""
    callspec = getattr(item, "callspec", None)
    parameter: Parameter = callspec.params.get(FIXTURE) if callspec else None
    return None if isinstance(parameter, (Broken, InferError)) else parameter


def is_unread(item: pytest.Item) -> bool:
    """Return whether a test stands for those of a model that cannot be read."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and isinstance(callspec.params.get(FIXTURE), Broken)


def judged_case(item: pytest.Item, case: Case) -> Case:
    """Return ``case`` with the test's other parameters, which make it another entry."""
    return replace(case, variant=_variant(item, case))


def _variant(item: pytest.Item, case: Case) -> str:
    """Return what a test's id says of its parameters besides its case."""
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return ""
    before, _, after = callspec.id.partition(case.id)
    return "-".join(part for part in (before.removesuffix("-"), after.removeprefix("-")) if part)


def is_without_case(item: pytest.Item) -> bool:
    """Return whether a test wants cases and the matrix has none of them."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get(FIXTURE, item) is None


def is_uncompared(item: pytest.Item, state: State) -> bool:
    """Return whether a test compares environments, and ``--infer-against`` names none."""
    is_ours = COMPARES in getattr(item, "fixturenames", ())
    return is_ours and is_without_case(item) and not state.session.config.against


def evaluated(cases: Iterable[Case]) -> tuple[Case, ...]:
    """Return the cases of models that have an evaluation set."""
    return tuple(case for case in cases if models.find(case.model).evaluation is not None)


def is_unevaluated(item: pytest.Item, state: State) -> bool:
    """Return whether a test judges accuracy, and no model of the run has an evaluation set."""
    is_ours = EVALUATES in getattr(item, "fixturenames", ())
    return is_ours and is_without_case(item) and not evaluated(state.session.matrix.cases)


def is_unasked(item: pytest.Item) -> bool:
    """Return whether this is a shape-fuzzing test, and ``-m`` does not mention fuzz.

    A mark of that name on any other test means something else.
    """
    is_ours = SEARCHES in getattr(item, "fixturenames", ()) and item.get_closest_marker(FUZZ)
    return bool(is_ours) and FUZZ not in re.findall(r"\w+", item.config.getoption("markexpr"))


def _narrowing(definition: pytest.Item) -> Narrowing:
    """Return what a test wants, once every mark of it has been read."""
    from pytest_infer.judges.accuracy import accuracy_from_keywords
    from pytest_infer.judges.budget import budget_from_keywords
    from pytest_infer.judges.growth import resource_budget_from_keywords
    from pytest_infer.judges.tolerance import tolerance_from_keywords

    mark_of(definition, "accuracy", accuracy_from_keywords)
    mark_of(definition, "latency_budget", budget_from_keywords)
    mark_of(definition, "resource_budget", resource_budget_from_keywords)
    tolerance = mark_of(definition, "tolerance", tolerance_from_keywords)
    if tolerance and SEARCHES in getattr(definition, "fixturenames", ()):
        raise OptionError(
            f"@pytest.mark.tolerance of {definition.nodeid} has no effect",
            why="the fixture fuzz is older than its test, and knows nothing of its marks",
            mend="write fuzz.shapes(tolerance=Tolerance(...))",
        )
    return narrowing_of(definition)
