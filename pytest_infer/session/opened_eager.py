"""Eager mode's engines that make references: open for one call, or for a series of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_infer.errors import LoadError, RunError
from pytest_infer.hosts.pool import EAGER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.engines.protocol import BuiltEngine
    from pytest_infer.hosts.host import Host
    from pytest_infer.hosts.pool import HostPool


class OpenedEager:
    """Runs eager mode; to open it takes longer than many a call."""

    def __init__(self, hosts: HostPool) -> None:
        self._hosts = hosts
        self._open: list[tuple[BuiltEngine, Host, int]] = []
        self._is_kept = False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Let what is opened from here on stay open until the end of the block."""
        self._is_kept = True
        try:
            yield
        finally:
            self._is_kept = False
            self._close()

    def outputs(self, built: BuiltEngine, feeds: Arrays, doing: str) -> dict[str, Array]:
        """Return the outputs of ``built``."""
        host, runner = self._opened(built, doing)
        try:
            outputs: dict[str, Array] = host.call(
                "engine.infer", error=RunError, doing=doing, runner=runner, feeds=feeds
            )
        finally:
            if not self._is_kept:
                self._close()
        return outputs

    def _opened(self, built: BuiltEngine, doing: str) -> tuple[Host, int]:
        for other, host, runner in self._open:
            if other == built and host.is_alive:
                return host, runner
        host = self._hosts.shared(EAGER)
        runner = host.call("engine.open", error=LoadError, doing=doing, built=built)
        self._open.append((built, host, runner))
        return host, runner

    def _close(self) -> None:
        opened, self._open = self._open, []
        for _, host, runner in opened:
            if host.is_alive:
                host.call("engine.close", error=RunError, doing="close eager", runner=runner)
