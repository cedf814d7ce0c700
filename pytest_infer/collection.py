"""Give each test its part of the matrix, and count the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_infer.errors import InferError, OptionError
from pytest_infer.marks import mark_of, narrowing_of
from pytest_infer.stash import FIXTURE

if TYPE_CHECKING:
    import pytest

    from pytest_infer.marks import Narrowing
    from pytest_infer.spec import Case
    from pytest_infer.stash import State

NO_CASE = "no-case"
FUZZ = "fuzz"
"""The mark of tests that search shapes."""

SEARCHES = "infer_fuzz"
"""The fixture of such tests."""


def cases_for(definition: pytest.Item, state: State) -> list[Case]:
    """Return the cases that a test function wants; what is wrong with its marks is kept."""
    try:
        cases = state.session.matrix.cases
        wanted = [case for case in cases if _narrowing(definition).wants(case)]
    except InferError as error:
        state.errors.append(error)
        return []
    state.coverage.narrowed += len(cases) - len(wanted)
    return wanted


def case_of(item: pytest.Item) -> Case | None:
    """Return the case of a collected test, if it has one."""
    callspec = getattr(item, "callspec", None)
    case: Case | None = callspec.params.get(FIXTURE) if callspec else None
    return case


def is_without_case(item: pytest.Item) -> bool:
    """Return whether a test wants cases and the matrix has none of them."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get(FIXTURE, item) is None


def is_unasked(item: pytest.Item) -> bool:
    """Return whether a test searches shapes, and ``-m`` does not speak of such tests.

    A mark of that name on any other test is none of ours.
    """
    is_ours = SEARCHES in getattr(item, "fixturenames", ()) and item.get_closest_marker(FUZZ)
    return bool(is_ours) and FUZZ not in re.findall(r"\w+", item.config.getoption("markexpr"))


def _narrowing(definition: pytest.Item) -> Narrowing:
    """Return what a test wants, once every mark of it has been read."""
    from pytest_infer.latency import budget_from_keywords
    from pytest_infer.tolerance import tolerance_from_keywords

    mark_of(definition, "latency_budget", budget_from_keywords)
    tolerance = mark_of(definition, "tolerance", tolerance_from_keywords)
    if tolerance and SEARCHES in getattr(definition, "fixturenames", ()):
        raise OptionError(
            f"@pytest.mark.tolerance of {definition.nodeid} has no effect",
            why="the fixture fuzz is older than its test, and knows nothing of its marks",
            mend="write fuzz.shapes(tolerance=Tolerance(...))",
        )
    return narrowing_of(definition)
