"""Plan which slow builds to begin ahead, and run last what needs them or is timed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.plugin.state import State
    from pytest_infer.session.builds_ahead import Build

SUITES = Path(__file__).resolve().parents[1] / "suites"
"""The tests whose order is ours; others, and experiments, may have reasons for theirs."""

ENGINE, VARIANTS, TIMER = "infer_engine", "infer_variants", "infer_gpu_timer"
"""Fixtures that tell what a test needs."""

REBUILT = "rebuilt"
"""The method of `Variants` that makes a second build."""


class BuildPlan:
    """The hook that sees every test of a run; a worker of xdist plans nothing, for there are more.

    Tests of the suites are put in another order where something is built ahead: those of engines
    that are not, those that need what is, and then all that are timed, for which builds wait.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Plan the builds of the tests that are left, in their order."""
        if not self._state.is_used or hasattr(config, "workerinput"):
            return
        from pytest_infer.session.builds_ahead import is_made_ahead

        session = self._state.session
        needed = {item: list(_builds(item)) for item in items}
        wanted = {build for builds in needed.values() for build in builds}
        ahead = {build for build in wanted if is_made_ahead(build, session.config)}
        if ahead:
            _put_in_turn(items, {item for item in items if not ahead.isdisjoint(needed[item])})
            session.ahead.plan(build for item in items for build in needed[item] if build in ahead)


def _put_in_turn(items: list[pytest.Item], needy: set[pytest.Item]) -> None:
    """Sort tests of the suites, among the places that these have; ``needy`` need slow builds."""
    from pytest_infer.plugin.collection import case_of

    places = [number for number, item in enumerate(items) if _is_suite(item.path)]
    slow = {case_of(item) for item in needy}

    def turn(item: pytest.Item) -> tuple[bool, bool]:
        return TIMER in _fixtures(item), case_of(item) in slow

    ordered = sorted((items[number] for number in places), key=turn)
    for number, item in zip(places, ordered, strict=True):
        items[number] = item


def _builds(item: pytest.Item) -> Iterator[Build]:
    """Yield what a test needs built."""
    from pytest_infer.plugin.collection import case_of
    from pytest_infer.session.builds_ahead import Build
    from pytest_infer.session.variants import cases_of_variants

    case, fixtures = case_of(item), _fixtures(item)
    if case and ENGINE in fixtures:
        yield Build(case)
    if case and VARIANTS in fixtures:
        cases = cases_of_variants(case)
        yield from map(Build, cases)
        if REBUILT in item.function.__code__.co_names:  # type: ignore[attr-defined]
            yield Build(cases[0], is_second=True)


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


@cache
def _is_suite(path: Path) -> bool:
    return path.resolve().parent == SUITES
