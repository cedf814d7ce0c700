"""The plugin's main hooks; what they do lives in the modules they call.

Loading this module imports no inference library, and of this package only what pytest needs in
order to show the options.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.border import border
from pytest_infer.errors import CaseError, InferError
from pytest_infer.fuzzing.profiles import PROFILES
from pytest_infer.plugin.aliases import PLUGIN, alias_plugin, names_needed, stand_back
from pytest_infer.plugin.complete_run import CompleteRun
from pytest_infer.plugin.conftests import load_conftests
from pytest_infer.plugin.left_out import LeftOut
from pytest_infer.plugin.options import add_options, is_asked
from pytest_infer.plugin.plan import Plan
from pytest_infer.plugin.progress import Progress
from pytest_infer.plugin.reporter import Reporter
from pytest_infer.plugin.state import ATTEMPT, FIXTURE, RECORDS, STATE, State, state_of

if TYPE_CHECKING:
    from collections.abc import Generator

pytest_plugins = ["pytest_infer.plugin.fixtures", "pytest_infer.plugin.judge_fixtures"]

SESSION_FIXTURE = "infer"
"""The fixture of which all others of this package are made."""

BENCHMARK_TABLE = "pytest_infer.plugin.benchmark_table"
"""The name under which the hooks are registered that pytest-benchmark's table needs."""

MARKS = (
    "infer(models, engines, precisions, batches, tasks, formats): run a test for these cases only",
    "experiment(models, engines, batches): run a test for these cases, not for the run's matrix",
    "latency_budget(p50_ms, p90_ms, p99_ms, throughput_per_s, speedup, p50_over_baseline): limits",
    "resource_budget(engine_bytes, peak_host_bytes, device_bytes, build_s, load_s, growth): limits",
    "fuzz: a shape-fuzzing test (it uses the fuzz fixture); deselected unless -m mentions fuzz",
    "accuracy(max_drop, at_least): how many right answers to held-out rows may be lost",
    "tolerance(mae, max_abs, relative_l2, cosine, ...): allow these errors, not the derived ones",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    add_options(parser)


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Show the engines instead of running tests, for ``--infer-engines``."""
    if not config.getoption("infer_engines"):
        return None
    from pytest_infer.plugin.listing import show_engines

    try:
        with border("show the engines"):
            show_engines(State(config).session)
    except InferError as error:
        raise pytest.UsageError(str(error)) from None
    return 0


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks, and watch the run."""
    if config.getoption("--hypothesis-profile", None) in PROFILES:
        from pytest_infer.fuzzing.strategies import register_profiles

        register_profiles()  # before hypothesis's own plugin loads it
    for mark in MARKS:
        config.addinivalue_line("markers", mark)
    state = config.stash[STATE] = State(config)
    config.pluginmanager.register(Reporter(config, state), "pytest_infer.plugin.reporter")
    config.pluginmanager.register(CompleteRun(config, state), "pytest_infer.plugin.complete_run")
    config.pluginmanager.register(Progress(config), "pytest_infer.plugin.progress")
    config.pluginmanager.register(LeftOut(config, state), "pytest_infer.plugin.left_out")
    config.pluginmanager.register(Plan(state), "pytest_infer.plugin.plan")
    if config.getoption("infer_durations"):
        from pytest_infer.plugin.durations import TimeSpent

        config.pluginmanager.register(TimeSpent(config), "pytest_infer.plugin.durations")
    config.pluginmanager.register(alias_plugin(), PLUGIN)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End every engine host; what goes wrong then is shown, for all is over."""
    if STATE in config.stash:
        try:
            with border("end the run"):
                state_of(config).close()
        except InferError as error:
            sys.stderr.write(f"\n{error}\n")


@pytest.hookimpl(wrapper=True)
def pytest_sessionstart(session: pytest.Session) -> Generator[None, object, object]:
    """Let other plugins' fixtures win over this plugin's plain names."""
    result = yield
    stand_back(session._fixturemanager)  # noqa: SLF001 - pytest has no other way
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Refuse options that make no sense before anything is collected."""
    if is_asked(session.config):
        load_conftests(session)
        try:
            with border("check the options"):
                state_of(session.config).session.check()
        except InferError as error:
            raise pytest.UsageError(str(error)) from None


def _show_in_benchmarks(config: pytest.Config) -> None:
    """Give pytest-benchmark what this run times, if it is there; once."""
    manager = config.pluginmanager
    benchmarks = manager.get_plugin("pytest-benchmark")
    if benchmarks and not manager.has_plugin(BENCHMARK_TABLE):
        from pytest_infer.plugin.benchmark_table import BenchmarkTable

        manager.register(BenchmarkTable(state_of(config), benchmarks), BENCHMARK_TABLE)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``case``, or for a fixture made of it, once per case."""
    if SESSION_FIXTURE in metafunc.fixturenames:
        _show_in_benchmarks(metafunc.config)
    if FIXTURE not in metafunc.fixturenames or FIXTURE not in names_needed(metafunc):
        return
    load_conftests(metafunc.definition.session)
    from pytest_infer.plugin.collection import id_of, parameters_for

    parameters = parameters_for(metafunc.definition, state_of(metafunc.config))
    metafunc.parametrize(
        FIXTURE, parameters, ids=map(id_of, parameters), indirect=True, scope="session"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse bad marks, and drop tests whose marks leave no case of this run's matrix."""
    state = state_of(config)
    if state.errors:
        raise pytest.UsageError("\n".join(str(error) for error in state.errors))
    if not state.is_used:
        return
    from pytest_infer.plugin.collection import (
        is_unasked,
        is_uncompared,
        is_unevaluated,
        is_without_case,
    )

    empty = [item for item in items if is_without_case(item)]
    uncompared = [item for item in empty if is_uncompared(item, state)]
    unevaluated = [item for item in empty if is_unevaluated(item, state)]
    state.coverage.uncompared = len(uncompared)
    state.coverage.unevaluated = len(unevaluated)
    state.coverage.without_case = tuple(
        item.nodeid for item in empty if item not in (*uncompared, *unevaluated)
    )
    unasked = [item for item in items if item not in empty and is_unasked(item)]
    state.coverage.unasked = len(unasked)
    if left := empty + unasked:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Count the checks that are to come."""
    state = state_of(session.config)
    if state.is_used:
        from pytest_infer.plugin.collection import case_of

        state.coverage.expected = sum(case_of(item) is not None for item in session.items)


@pytest.hookimpl(optionalhook=True, trylast=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let xdist keep the tests of a case together, unless another plugin has a scheduler."""
    if config.getoption("dist") != "load":
        return None
    from pytest_infer.plugin.case_scheduling import CaseScheduling

    return CaseScheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach a test's records to its report, and show an `InferError` without a traceback."""
    report = yield
    if call.when == "setup":
        item.stash[ATTEMPT] = item.stash.get(ATTEMPT, 0) + 1
    error = call.excinfo.value if call.excinfo else None
    is_case = FIXTURE in getattr(item, "fixturenames", ()) or isinstance(error, CaseError)
    if not is_case and RECORDS not in item.stash:  # a test that makes its own case has records
        return report
    from pytest_infer.plugin.attachments import attach_to_allure
    from pytest_infer.plugin.collection import case_of, is_unread, judged_case
    from pytest_infer.plugin.outcome import settle_report, told, told_once
    from pytest_infer.plugin.reported import attach, records_in

    case = case_of(item)
    judged = judged_case(item, case) if case else None
    if judged:
        settle_report(report, item, judged, error)
    elif isinstance(error, InferError):
        report.longrepr = told_once(error, item) if is_unread(item) else told(error)
    attach(report, item, judged)
    attach_to_allure(item.config, records_in(report))
    return report
