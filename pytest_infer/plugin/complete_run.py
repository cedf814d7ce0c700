"""Find out whether a run was of the whole suite, and review the baselines after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.border import border
from pytest_infer.errors import InferError
from pytest_infer.plugin.conftests import place_of
from pytest_infer.plugin.reported import CASE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.plugin.state import State

NARROWING = (
    *("keyword", "markexpr", "lf", "stepwise", "deselect", "ignore", "ignore_glob"),
    "infer_model",
)
"""Options, by the names under which pytest keeps them, that leave a part of the suite out."""

OUTPUT = "pytest_infer_is_partial"
"""The key under which a worker says whether it left anything out."""

ENDED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


class CompleteRun:
    """The hooks that see what a run leaves out, and which cases its tests have."""

    def __init__(self, config: pytest.Config, state: State) -> None:
        self._config = config
        self._state = state
        self._is_partial = any(config.getoption(name, None) for name in NARROWING)
        self._met: set[str] = set()

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note that a test of a case was left out.

        Tests without a case, and fuzz tests that nobody selected, do not make a run partial.
        """
        if not self._state.is_used:
            return
        from pytest_infer.plugin.collection import case_of, is_unasked

        self._is_partial |= any(
            case_of(item) is not None and not is_unasked(item) for item in items
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note that a file could not be collected."""
        self._is_partial |= report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the case of a test."""
        self._met.add(getattr(report, CASE, ""))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Note what a worker has left out; one that was killed does not say."""
        self._is_partial |= bool(error) or getattr(node, "workeroutput", {}).get(OUTPUT, True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Note that the run was stopped; on a worker hand over what was noted."""
        self._is_partial |= bool(session.shouldstop or session.shouldfail)
        self._is_partial |= exitstatus not in ENDED
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[OUTPUT] = self._is_partial

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which baselines are unused or stale."""
        if self._is_partial or not self._state.records or self._names_a_part():
            return
        if self._state.session.experiments:  # their cases are no matrix
            return
        from pytest_infer.baselines.review import review_lines
        from pytest_infer.plain_text import encodable, plain_text

        session = self._state.session
        try:
            with border("review the baselines"):
                lines = review_lines(session.config, self._state.records, self._cases())
        except InferError as error:
            lines = [str(error)]
        for line in lines:
            terminalreporter.write_line(encodable(plain_text(line)))

    def _names_a_part(self) -> bool:
        """Return whether the command line names a file or a test instead of folders."""
        return any(
            "::" in each or place_of(each, self._config).is_file() for each in self._config.args
        )

    def _cases(self) -> set[str]:
        """Return the ids of the cases that were met."""
        return self._met | {record.case_id for record in self._state.records}
