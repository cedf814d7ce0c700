"""Where this plugin keeps its state in pytest's own objects."""

from __future__ import annotations

from functools import cached_property
from time import time
from typing import TYPE_CHECKING

import pytest

from pytest_infer.border import border
from pytest_infer.errors import OptionError
from pytest_infer.plugin.attempts import Attempts
from pytest_infer.reports.counts import Coverage

if TYPE_CHECKING:
    from pytest_infer.errors import InferError
    from pytest_infer.reports.record import Record
    from pytest_infer.reports.result import Result
    from pytest_infer.session.matrix import Origin
    from pytest_infer.session.session import InferSession

FIXTURE = "infer_matrix_case"
"""The fixture that carries a test's case as its parameter."""


class State:
    """One run: its session, made when first needed, and what was counted and recorded."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.began_s = time()
        self.coverage = Coverage()
        self.attempts = Attempts()
        self.errors: list[InferError] = []
        """What is wrong with marks and options, found while tests were collected."""
        self.first_told: dict[str, str] = {}
        """The first test of each model that cannot be read, by the error."""
        self.origin: Origin | None = None

    @property
    def records(self) -> list[Record]:
        """Return what counts: the records of each test's last attempt."""
        return self.attempts.records

    @cached_property
    def session(self) -> InferSession:
        """Return the session; raise `OptionError` for options that are not valid."""
        from pytest_infer.plugin.options import read_config
        from pytest_infer.session.session import InferSession
        from pytest_infer.storage.lock_wait import listen

        with border("read the options", OptionError):
            session = InferSession(read_config(self._config), self.origin)
        listen(self.tell)
        return session

    def result(self) -> Result:
        """Return all that this run has found until now."""
        from pytest_infer.plugin.described_run import described_run
        from pytest_infer.reports.result import Result

        run = described_run(self._config, self.session.config, self.began_s)
        return Result(self.records, self.coverage, self.attempts.earlier, run)

    def tell(self, line: str, is_over: bool) -> None:
        """Show a line about a lock for which a test waits."""
        from pytest_infer.session.notice import show_notice

        del is_over
        show_notice(self._config, line)

    def close(self) -> None:
        """End what the run has started."""
        from pytest_infer.storage.lock_wait import stop_listening

        if self.is_used:
            self.session.close()
            stop_listening(self.tell)

    @property
    def is_used(self) -> bool:
        """Return whether any test or option has needed the session."""
        return "session" in self.__dict__


STATE: pytest.StashKey[State] = pytest.StashKey()
RECORDS: pytest.StashKey[list[Record]] = pytest.StashKey()
ATTEMPT: pytest.StashKey[int] = pytest.StashKey()
"""How many attempts at a test have begun; other plugins run one again."""


def state_of(config: pytest.Config) -> State:
    """Return the run's state."""
    return config.stash[STATE]


def records_of(item: pytest.Item) -> list[Record]:
    """Return the records of a test, to which its verdicts are added."""
    return item.stash.setdefault(RECORDS, [])
