"""Gather what tests and workers recorded, show it, and store it where that was asked for."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.plugin.attachments import attach_to_pytest_html
from pytest_infer.plugin.junit import write_to_junit
from pytest_infer.plugin.reported import (
    NUMBER,
    SHOWN,
    records_in,
    short_lines,
    shown_status,
    status_in,
)

if TYPE_CHECKING:
    from pytest_infer.plugin.state import State
    from pytest_infer.reports.run_info import RunInfo

OUTPUT = "pytest_infer"
"""The key under which a worker leaves its counts for the controller."""


REPORTS = "infer_report"
"""Where pytest keeps what ``--infer-report`` was given."""

RERUN = "rerun"
"""What pytest-rerunfailures makes of the outcome of an attempt that does not count."""


def _stopped(session: pytest.Session) -> str:
    """Return why a run ends before all of its tests have run; empty if it does not."""
    if session.exitstatus == pytest.ExitCode.INTERRUPTED and not session.shouldstop:
        return "interrupted"
    return str(session.shouldfail or session.shouldstop or "")


class Reporter:
    """The hooks that see results; on a worker they only pass on what was counted."""

    def __init__(self, config: pytest.Config, state: State) -> None:
        self._config = config
        self._state = state
        self._lines: list[str] = []
        self._run: RunInfo | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the records of one test, from here or from a worker."""
        number: int | None = getattr(report, NUMBER, None)
        if number is None:
            return
        state = self._state
        run = report.nodeid, getattr(report, "worker_id", "")
        records = records_in(report)
        state.attempts.take(run, number, records)
        state.coverage.ran, state.coverage.repeated = state.attempts.counts
        if str(report.outcome) != RERUN:
            write_to_junit(self._config, report, records)
        attach_to_pytest_html(self._config, report, records)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, Any] | None:
        """Keep tests without a clear verdict apart from those that passed."""
        if report.when != "call" or not report.passed:
            return None
        status = shown_status(records_in(report))
        if status is None:
            return None
        letter, color = SHOWN[status]
        return status, letter, (status.upper(), {color: True})

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        """Say in pytest-html's table what is neither passed nor failed."""
        if cells and (status := status_in(report.user_properties)):
            cells[0] = cells[0].replace("</td>", f" ({status})</td>")

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
        elif state.records or state.attempts.earlier:
            from pytest_infer.session.conclusion import conclude

            result = state.result()
            result = replace(result, run=replace(result.run, stopped=_stopped(session)))
            self._run = result.run
            self._lines, errors = conclude(state.session.config, result)
            if errors and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _tell_that_nothing_came(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what a run that was stopped before its first verdict has not written."""
        stopped = "the run was stopped before anything was judged"
        if self._config.getoption(REPORTS):
            terminalreporter.write_line(f"no report was written: {stopped}")
        if self._state.is_used and self._state.session.config.update:
            terminalreporter.write_line(f"no baseline was stored: {stopped}")

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int
    ) -> None:
        """Show the table, the counts and what was stored."""
        coverage = self._state.coverage
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self._config.getoption(REPORTS):
            terminalreporter.write_line("no report was written: no test was selected")
        elif exitstatus == pytest.ExitCode.INTERRUPTED and not self._state.records:
            self._tell_that_nothing_came(terminalreporter)
        if not (self._state.records or coverage.checks):
            return
        from pytest_infer.plain_text import encodable, plain_text
        from pytest_infer.reports.caveats import caveats
        from pytest_infer.reports.table import rendered
        from pytest_infer.reports.terminal import (
            codes_line,
            coverage_lines,
            origin_line,
            tables_of,
        )

        terminalreporter.section("inference engines")
        is_verbose = self._config.get_verbosity() > 0
        width = self._width(terminalreporter)
        for table in tables_of(self._state.records, is_verbose=is_verbose, width=width):
            color = terminalreporter.hasmarkup
            terminalreporter.write_line(encodable(rendered(table, color=color)))
        records = self._state.records
        about = [origin_line(records, self._run)] if self._run else []
        lines = about + caveats(records)
        lines += coverage_lines(self._state.coverage, records) + self._lines
        for line in lines + codes_line(records):
            terminalreporter.write_line(encodable(plain_text(line)))
        if self._is_brief:
            for line in short_lines(self._state.records):
                terminalreporter.write_line(encodable(plain_text(line)))

    @staticmethod
    def _width(terminalreporter: pytest.TerminalReporter) -> int:
        """Return how wide a table may be: a log has no end of a line, unless it is said."""
        from pytest_infer.reports.table import WIDE

        is_known = terminalreporter.isatty or "COLUMNS" in os.environ
        width: int = terminalreporter._tw.fullwidth  # noqa: SLF001 - it has no other name
        return width if is_known else WIDE

    @property
    def _is_brief(self) -> bool:
        """Return whether a line per test without a clear verdict is wanted: ``-q``, ``-ra``."""
        is_quiet = self._config.get_verbosity() < 0
        return is_quiet or bool({"a", "A"} & set(self._config.getoption("reportchars")))
