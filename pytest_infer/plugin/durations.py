"""Add up what a run's time goes into, for ``--infer-durations``."""

from __future__ import annotations

from collections import Counter, defaultdict
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.activity import AHEAD, START, WAIT, Activity, stop_watching, watch
from pytest_infer.reports.durations import Durations

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTPUT = "infer_time_by_kind"
"""The worker's output with what it has added up."""

IMPORT, COLLECT, REST = "start pytest and its plugins", "collect", "judge, report and pytest itself"

KINDS: Mapping[str, str] = {
    START: "start hosts (imports)",
    WAIT: "wait for locks (other runs and workers)",
    AHEAD: "wait for what is made ahead",
    "model.write_weights": "make weights",
    "graph.export": "export graphs",
    "graph.quantize": "quantize graphs",
    "engine.build": "build engines, or check built ones",
    "engine.open": "load engines",
    "engine.infer": "infer, references too",
    "engine.burst": "infer, references too",
    "engine.block": "time calls",
    "engine.time": "time calls",
    "engine.split": "time calls",
    "engine.bind": "time calls",
    "engine.measure": "measure for the gate",
}
"""What a user calls a kind of activity."""

OTHER = "ask hosts (facts, feeds, evidence)"


class TimeSpent:
    """Watches the hosts' calls of this process; xdist's workers hand over what they have seen.

    Time within an activity that is within another one counts for the inner one only.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began_s = self._since_s = perf_counter()
        self._kind = IMPORT
        self._spent_s: defaultdict[str, float] = defaultdict(float)
        self._calls: Counter[str] = Counter()
        self._longest: dict[str, float] = {}
        self._workers = 0

    def pytest_sessionstart(self) -> None:
        """Begin to watch."""
        watch(self._changed)

    def pytest_collection(self) -> None:
        """Count what follows as collecting."""
        self._turn(COLLECT)

    def pytest_collection_finish(self) -> None:
        """Count what follows as this process's work."""
        self._turn(REST)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add what a worker has spent; one that was killed has left nothing."""
        found = getattr(node, "workeroutput", {}).get(OUTPUT)
        if found:
            if not self._workers:  # this process has only waited for them
                self._spent_s.clear()
            self._workers += 1
            for kind, spent_s in found["spent_s"].items():
                self._spent_s[kind] += spent_s
            self._calls.update(found["calls"])
            for doing, own_s in found["longest"].items():
                self._longest[doing] = max(own_s, self._longest.get(doing, 0.0))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Hand over what was spent, on a worker."""
        stop_watching(self._changed)
        if not self._workers:
            self._turn(REST)
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[OUTPUT] = {
                "spent_s": dict(self._spent_s),
                "calls": dict(self._calls),
                "longest": self._longest,
            }

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show it."""
        from pytest_infer.plain_text import encodable

        wall_s = perf_counter() - self._began_s
        found = Durations(self._spent_s, self._calls, self._longest, wall_s, self._workers)
        terminalreporter.section("where the time went")
        terminalreporter.write_line(encodable(found.text()))

    def _changed(self, now: Activity | None, ended: Activity | None) -> None:
        if ended is not None:
            kind = KINDS.get(ended.kind, OTHER)
            self._calls[kind] += 1
        began = self._since_s
        self._turn(KINDS.get(now.kind, OTHER) if now else REST)
        if ended is not None:
            own_s = self._since_s - began
            if own_s > self._longest.get(ended.doing, 0.0):
                self._longest[ended.doing] = own_s

    def _turn(self, kind: str) -> None:
        now_s = perf_counter()
        self._spent_s[self._kind] += now_s - self._since_s
        self._kind, self._since_s = kind, now_s
