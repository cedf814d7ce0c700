"""The one place that turns a verdict into a pytest outcome and a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.errors import CaseError
from pytest_infer.plain_text import encodable, plain_text
from pytest_infer.plugin.state import records_of
from pytest_infer.reports.record import Record, record_from_verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.case import Case
    from pytest_infer.verdict import Verdict

RENEWABLE = "improved"


class Enforce:
    """Records verdicts, and fails the test for those that fail."""

    def __init__(
        self, item: pytest.Item, case: Case, origin: Callable[[], dict[str, Any]], *, strict: bool
    ) -> None:
        self._item = item
        self._case = case
        self._origin = origin
        self._strict = strict

    def __call__(self, *verdicts: Verdict) -> None:
        """Record every verdict; then fail if one fails, or is inconclusive and that is strict.

        Raise `CaseError` for anything else than verdicts, and for none.
        """
        _refuse_others(verdicts)
        records = [
            record_from_verdict(verdict, self._case, self._item.nodeid, **self._origin())
            for verdict in verdicts
        ]
        records_of(self._item).extend(records)
        failures = [record.message for record in records if self._is_failure(record)]
        if failures:
            pytest.fail(encodable(plain_text("\n".join(failures))), pytrace=False)

    def _is_failure(self, record: Record) -> bool:
        if record.status == "fail":
            return True
        is_renewable = record.judge == "baseline" and record.code == RENEWABLE
        return self._strict and (record.status == "inconclusive" or is_renewable)


def _refuse_others(verdicts: tuple[object, ...]) -> None:
    from pytest_infer.verdict import Verdict

    others = [type(each).__name__ for each in verdicts if not isinstance(each, Verdict)]
    if others or not verdicts:
        raise CaseError(
            "enforce() has nothing to enforce" if not verdicts else "enforce() takes verdicts",
            why=f"it got {', '.join(others) or 'no verdict'}",
            mend="call it with what judges return: enforce(parity(engine(feeds)), truth(engine))",
        )
