"""Gather what tests and workers recorded, show it, and store it where that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_infer.stash import State

OUTPUT = "pytest_infer"
"""The key under which a worker leaves its counts for the controller."""

REPORTED = "infer_records"
"""The attribute of a report that holds its test's records."""

SHOWN = {"inconclusive": ("?", "yellow"), "new": ("n", "cyan")}
"""Statuses that are neither passed nor failed: the letter and the colour of their tests."""


class Reporter:
    """The hooks that see results; on a worker they only pass on what was counted."""

    def __init__(self, config: pytest.Config, state: State) -> None:
        self._config = config
        self._state = state
        self._lines: list[str] = []
        self._judged: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the records of one test, from here or from a worker."""
        records = getattr(report, REPORTED, [])
        self._state.records += records
        if records:
            self._judged.add(report.nodeid)
            self._state.coverage.ran = len(self._judged)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, Any] | None:
        """Keep tests without a clear verdict apart from those that passed."""
        if report.when != "call" or not report.passed:
            return None
        statuses = {record["status"] for record in getattr(report, REPORTED, [])}
        for status, (letter, color) in SHOWN.items():
            if status in statuses:
                return status, letter, (status.upper(), {color: True})
        return None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take the counts of a worker that ends; one that was killed left none."""
        del error
        counts = getattr(node, "workeroutput", {}).get(OUTPUT)
        if counts:
            self._state.coverage.merge_worker(counts)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Store baselines and write reports, or on a worker hand over the counts.

        What cannot be stored or written makes the run a usage error, unless it has failed anyway.
        """
        state = self._state
        if state.is_used:
            state.session.count(state.coverage)
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[OUTPUT] = state.coverage.as_dict()
        elif state.records:
            self._lines, errors = state.session.conclude(state.records, state.coverage)
            if errors and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the table, the counts and what was stored."""
        coverage = self._state.coverage
        if not (self._state.records or coverage.checks):
            return
        from pytest_infer.plain_text import plain_text
        from pytest_infer.terminal import coverage_lines, rendered, tables_of

        terminalreporter.section("inference engines")
        is_verbose = self._config.get_verbosity() > 0
        for table in tables_of(self._state.records, is_verbose=is_verbose):
            color = terminalreporter.hasmarkup
            terminalreporter.write_line(rendered(table, color=color))
        for line in coverage_lines(self._state.coverage, self._state.records) + self._lines:
            terminalreporter.write_line(plain_text(line))
