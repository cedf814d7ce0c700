"""Show timed samples in pytest-benchmark's table, files and comparisons, where it is active.

What is used of pytest-benchmark is the same in its versions 5.0 to 5.3: its session, a plugin
under the name ``pytest-benchmark``; the session's list ``benchmarks``; ``Metadata``, a row of it.
Durations are nanoseconds here and seconds there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.case import Case
from pytest_infer.timing.samples import Samples
from pytest_infer.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from pytest_infer.plugin.state import State

TIMES = "infer_gpu_timer"
"""The fixture that makes a test a benchmark."""

ONLY = "--benchmark-only"
"""Stands in the reason for which pytest-benchmark skips what it takes for no benchmark."""


class _Params(dict[str, Any]):
    """A case's fields; others are empty, so that grouping by a user's own parameter works."""

    def __missing__(self, name: str) -> str:
        return ""


@dataclass(frozen=True)
class Row:
    """The samples of one case that one test took: what pytest-benchmark's ``Metadata`` copies."""

    case: Case
    samples: Samples
    fullname: str
    """The node id of the case's own test; by it a row is found again in a stored run."""
    is_own: bool
    """The case is the test's own, and not one timed beside it."""
    number: int = 1
    """Counts the times that the test timed this case."""
    cprofile_stats: None = None
    has_error: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """Return the case's id, and how often its test had timed it if that is not the first."""
        return self.case.id + _again(self.number)

    @property
    def group(self) -> str:
        """Return the model's name."""
        return self.case.model

    @property
    def param(self) -> str:
        """Return what ``--benchmark-group-by=param`` groups by."""
        return self.case.id

    @property
    def params(self) -> dict[str, Any]:
        """Return what ``--benchmark-group-by=param:NAME`` groups by."""
        fields = self.case.as_dict()
        settings = fields.pop("options")
        return _Params({**fields, **settings})

    @property
    def extra_info(self) -> dict[str, Any]:
        """Return the case, how it was timed, and this package's own figures."""
        return {
            **self.case.as_dict(),
            "clock": self.samples.clock,
            "machine": self.samples.machine,
            "warmup_calls": self.samples.warmup_calls,
            **self.samples.figures(),
        }


class BenchmarkTable:
    """The hooks that hand samples to pytest-benchmark's session."""

    def __init__(self, state: State, benchmarks: Any) -> None:
        self._state = state
        self._benchmarks = benchmarks
        self._taken: dict[str, list[Row]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Let ``--benchmark-only`` run the tests that time, and ``--benchmark-skip`` skip them.

        What is skipped is seen as such, and missing in the number of checks that ran.
        """
        result = yield
        for item in filter(_is_timing, items if self._state.is_used else ()):
            if self._benchmarks.only:
                item.own_markers[:] = [mark for mark in item.own_markers if not _is_only(mark)]
            elif self._benchmarks.skip:
                item.add_marker(pytest.mark.skip(reason="times an engine (--benchmark-skip)"))
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Take what a test's setup or call has timed; a new attempt takes the place of the last."""
        if not self._state.is_used:
            return
        from pytest_infer.plugin.collection import case_of

        own = case_of(item)
        rows = self._taken.setdefault(item.nodeid, [])
        if call.when == "setup":
            rows.clear()
        for case, samples in self._state.session.take_samples():
            number = 1 + sum(row.case == case for row in rows)
            fullname = _test_of(case, own, item.nodeid) + _again(number)
            rows.append(Row(case, samples, fullname, case == own, number))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Add the rows before pytest-benchmark stores, compares and shows all of them."""
        if not self._benchmarks.disabled:
            rows = chain.from_iterable(self._taken.values())
            self._benchmarks.benchmarks += [_metadata(row) for row in chosen(rows)]
        return (yield)


def chosen(rows: Iterable[Row]) -> list[Row]:
    """Return one row per name: the case's own test's, or else the first of those beside others.

    Eager mode is timed beside every engine, and has a separate test only if it was asked for.
    """
    found: dict[str, Row] = {}
    for row in rows:
        kept = found.setdefault(row.fullname, row)
        if row.is_own and not kept.is_own:
            found[row.fullname] = row
    return list(found.values())


def _test_of(case: Case, own: Case | None, test: str) -> str:
    """Return the id that ``test`` of the case ``own`` has for ``case``."""
    if own and own.id in test:
        return test.replace(own.id, case.id)
    return f"{test}[{case.id}]"


def _again(number: int) -> str:
    return f" ({number})" if number > 1 else ""


def _is_timing(item: pytest.Item) -> bool:
    """Return whether a test of a case times engines, and is not pytest-benchmark's anyway."""
    from pytest_infer.plugin.collection import case_of

    names = getattr(item, "fixturenames", ())
    return case_of(item) is not None and TIMES in names and "benchmark" not in names


def _is_only(mark: pytest.Mark) -> bool:
    return mark.name == "skip" and ONLY in mark.kwargs.get("reason", "")


def _metadata(row: Row) -> Any:
    from pytest_benchmark.stats import Metadata

    metadata = Metadata(row, iterations=1, options={"timer": row.samples.clock})
    for duration_ns in row.samples.durations_ns:
        metadata.update(duration_ns / NS_PER_S)
    return metadata
