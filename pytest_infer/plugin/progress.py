"""Say what a run is waiting for: one live line in a terminal, a plain one elsewhere."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.activity import AHEAD, Activity, going_on_beside, stop_watching, watch
from pytest_infer.plain_text import plain_text
from pytest_infer.plugin.live_line import LiveLine
from pytest_infer.plugin.past_durations import LEAST_S, read_durations, write_durations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER = "infer_progress"
"""The worker's input that names where it writes what it is doing."""

OUTPUT = "infer_durations"
"""The worker's output with what took how long."""

LIVE_S, PLAIN_S = 0.5, 30.0
"""How often a live line is drawn, and after how long a plain one is printed."""

SHORT_S = 1.0
"""What takes less is not shown: it would flicker."""


class Progress:
    """Watches the hosts' calls of this process, and shows those of xdist's workers too."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._own: Activity | None = None
        self._taken: dict[str, float] = {}
        self._folder: TemporaryDirectory[str] | None = None
        self._ended = Event()
        self._thread: Thread | None = None
        self._descriptor: int | None = None
        self._line: LiveLine | None = None
        self._count = self._total = 0

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Begin to watch."""
        watch(self._changed)
        if self._place is None:
            with suppress(OSError, ValueError, AttributeError):  # no file that a system knows
                self._descriptor = os.dup(sys.__stdout__.fileno())  # type: ignore[union-attr]

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where to write what it is doing."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="pytest-infer-progress-")
        node.workerinput[FOLDER] = self._folder.name
        self._begin()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker has measured."""
        self._taken |= getattr(node, "workeroutput", {}).get(OUTPUT, {})

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Know how many tests there are."""
        self._total = len(session.items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the tests that are over."""
        self._count += report.when == "teardown"

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """End the line before anything is summed up, and remember what took how long."""
        stop_watching(self._changed)
        self._ended.set()
        if self._thread:
            self._thread.join()
        if self._line:
            self._line.close()
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = self._line = None
        if self._place is not None:
            self._config.workeroutput[OUTPUT] = self._taken  # type: ignore[attr-defined]
            return
        write_durations(self._config, self._taken)
        if self._folder:
            self._folder.cleanup()

    @cached_property
    def _past(self) -> Mapping[str, float]:
        """Return how long things took before; a run that has nothing to show reads no file."""
        return read_durations(self._config)

    @property
    def _place(self) -> Path | None:
        """Return the file of this worker; None in a process of its own."""
        given = getattr(self._config, "workerinput", {})
        return Path(given[FOLDER], given["workerid"]) if FOLDER in given else None

    def _changed(self, now: Activity | None, ended: Activity | None) -> None:
        self._own = now
        if ended and (took_s := time() - ended.began_s) >= LEAST_S:
            self._taken[ended.doing] = took_s
        if self._place is None:
            self._begin()
            return
        with suppress(OSError):  # the controller has gone
            draft = self._place.with_suffix(".draft")
            draft.write_text(json.dumps([now.doing, now.began_s] if now else None))
            draft.replace(self._place)

    def _begin(self) -> None:
        """Start to show; without a standard output nothing is."""
        if self._thread or self._descriptor is None:
            return
        self._thread = Thread(target=self._show, name="pytest-infer-progress", daemon=True)
        self._thread.start()

    def _show(self) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or self._descriptor is None:
            return
        # what tests print would get into a live line's way
        is_captured = self._config.getoption("capture", "no") != "no"
        is_live = os.isatty(self._descriptor) and os.environ.get("TERM") != "dumb" and is_captured
        shown_s = time()
        while not self._ended.wait(LIVE_S):
            parts = [each for each in self._activities() if time() - each[1].began_s >= SHORT_S]
            if is_live and parts:
                self._line = self._line or LiveLine(terminal, self._descriptor)
                self._line.draw(self._told(parts))
            elif self._line:
                self._line.clear()
            elif parts and time() - shown_s >= PLAIN_S:
                shown_s = time()
                terminal.flush()
                begun = "" if self._folder else _begun(terminal)  # workers' lines come whole
                line = f"\n{self._told(parts)}\n{begun}"
                os.write(self._descriptor, line.encode(errors="replace"))

    def _activities(self) -> Iterator[tuple[str, Activity]]:
        """Yield what goes on here and in workers, with the names of these.

        What is built ahead is told once, also while this process waits for it.
        """
        other = going_on_beside()
        if self._own and not (other and self._own.kind == AHEAD):
            yield "", self._own
        if other:
            yield "ahead: ", other
        if self._folder:
            for file in sorted(Path(self._folder.name).glob("gw*[0-9]")):
                with suppress(OSError, ValueError):
                    found = json.loads(file.read_text())
                    if found:
                        yield f"{file.name} ", Activity(*found)

    def _told(self, parts: list[tuple[str, Activity]]) -> str:
        """Return the line: how far the run is, what goes on since when, how long it took before."""
        told = [
            f"{worker}{each.doing}, {_seconds(time() - each.began_s)}{self._before(each.doing)}"
            for worker, each in parts
        ]
        done = f"{self._count} of {self._total}: " if self._total else ""
        return plain_text(done + " | ".join(told)).replace("\n", " ")

    def _before(self, doing: str) -> str:
        past_s = self._past.get(doing)
        return f" ({_seconds(past_s)} last time)" if past_s else ""


def _begun(terminal: Any) -> str:
    """Return the test's id that ``-v`` has written, which its outcome belongs behind, if any."""
    writer: Any = terminal._tw  # noqa: SLF001 - there is no public way to the line
    line: str = writer._current_line  # noqa: SLF001
    return line if terminal.verbosity > 0 and line.endswith(" ") else ""


def _seconds(duration_s: float) -> str:
    """Return a duration as people read it."""
    minutes, seconds = divmod(int(duration_s), 60)
    return f"{minutes}:{seconds:02d} min" if minutes else f"{seconds} s"
