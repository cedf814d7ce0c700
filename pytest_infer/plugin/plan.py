"""Plan what is made ahead of the tests that need it, and run last what is timed."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_infer.errors import InferError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.case import Case
    from pytest_infer.hosts.host_role import HostRole
    from pytest_infer.plugin.state import State
    from pytest_infer.session.builds_ahead import Build
    from pytest_infer.session.run_baselines import RunBaselines

SUITES = Path(__file__).resolve().parents[1] / "suites"
"""The tests whose order is ours; others, and experiments, may have reasons for theirs."""

ENGINE, VARIANTS, TIMER = "infer_engine", "infer_variants", "infer_gpu_timer"
EAGER_BESIDE, REPLAY_BESIDE = "infer_eager", "infer_eager_replay"
BASELINE = "infer_baseline"
"""Fixtures that tell what a test needs."""

REBUILT = "rebuilt"
"""The method of `Variants` that makes a second build."""

BESIDE = {"reopened", "concurrent"}
"""Its methods that need a second host."""


class Plan:
    """The hook that sees every test of a run; a worker of xdist plans nothing, for there are more.

    Tests of the suites are put in another order: those of engines that are not built ahead, those
    that need what is, and then all that are timed, for which everything else waits.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Plan the builds and the hosts of the tests that are left, in their order."""
        if not self._state.is_used or hasattr(config, "workerinput"):
            return
        from pytest_infer.made_ahead import has_cores
        from pytest_infer.session.builds_ahead import is_made_ahead

        session = self._state.session
        needed = {item: list(_builds(item)) for item in items}
        wanted = {build for builds in needed.values() for build in builds}
        ahead = {build for build in wanted if is_made_ahead(build, session.config)}
        _put_in_turn(items, {item for item in items if not ahead.isdisjoint(needed[item])})
        session.ahead.plan(build for item in items for build in needed[item] if build in ahead)
        if not has_cores() or config.option.collectonly:
            return
        if hosts := _hosts(items, session.baselines):
            session.hosts.begin(hosts)


def _hosts(items: list[pytest.Item], baselines: RunBaselines) -> list[HostRole]:
    """Return the hosts that tests need, in their order, each as often as it is started."""
    from pytest_infer.hosts.host_role import HostRole
    from pytest_infer.hosts.pool import EAGER
    from pytest_infer.plugin.collection import case_of

    found: list[HostRole] = []
    kept: set[HostRole] = set()
    for item in items:
        case = case_of(item)
        if case and {ENGINE, VARIANTS}.intersection(_fixtures(item)):
            has_companion = HostRole(EAGER, "companion") in kept
            for role in _roles(item, case, baselines, has_companion=has_companion):
                if role.role == "fresh" or role not in kept:
                    found.append(role)
                    kept.add(role)
    return found


def _roles(
    item: pytest.Item, case: Case, baselines: RunBaselines, *, has_companion: bool
) -> Iterator[HostRole]:
    """Yield the hosts of one test; eager may have a companion from a test before it."""
    from pytest_infer.devices.device import Device
    from pytest_infer.hosts.host_role import HostRole
    from pytest_infer.hosts.pool import EAGER

    yield HostRole(EAGER, "shared")
    yield HostRole(case.engine, "shared")
    if BESIDE.intersection(_names(item)):
        yield HostRole(case.engine, "beside")
    if TIMER not in _fixtures(item):
        return
    if Device.named(case.device).is_gpu:
        yield from (HostRole(engine, "fresh") for engine in _timed_on_gpu(item, case))
        if BASELINE in _fixtures(item):
            yield from [HostRole(case.engine, "fresh")] * _measurements(case, baselines)
        return
    if case.engine != EAGER or has_companion:
        yield HostRole(case.engine, "fresh")
    yield HostRole(EAGER, "companion")


def _measurements(case: Case, baselines: RunBaselines) -> int:
    """Return how many processes measure a case for the gate, if the first shows nothing.

    A baseline that cannot be read is an error of the test.
    """
    from pytest_infer.judges.gate import STORED_MEASUREMENTS

    with suppress(InferError):
        chosen = baselines.of(case)
        if chosen.is_stored_anew(case):
            return STORED_MEASUREMENTS
        return int(chosen.gated(case) is not None)
    return 0


def _timed_on_gpu(item: pytest.Item, case: Case) -> Iterator[str]:
    """Yield the engine of each process that a test times together: those of eager are not kept."""
    from pytest_infer.engines.cuda_graph import OPTION
    from pytest_infer.hosts.pool import EAGER
    from pytest_infer.models.registry import find

    yield case.engine
    if find(case.model).spec.onnx is not None:
        return  # a file has no eager mode
    rivals = {EAGER_BESIDE: (), REPLAY_BESIDE: ((OPTION, True),)}
    for fixture, options in rivals.items():
        is_itself = (case.engine, case.precision, case.options) == (EAGER, "fp32", options)
        if fixture in _fixtures(item) and not is_itself:
            yield EAGER


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
        if REBUILT in _names(item):
            yield Build(cases[0], is_second=True)


def _names(item: pytest.Item) -> tuple[str, ...]:
    """Return the names that a test's code has, methods among them; none for one without code."""
    names: tuple[str, ...] = item.function.__code__.co_names  # type: ignore[attr-defined]
    return names


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


@cache
def _is_suite(path: Path) -> bool:
    return path.resolve().parent == SUITES
