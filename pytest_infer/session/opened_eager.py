"""Eager mode's engines that make references: open for one call, or for a series of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.hosts.pool import EAGER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.arrays import Array, Arrays
    from pytest_infer.engines.protocol import BuiltEngine
    from pytest_infer.hosts.pool import HostPool


class OpenedEager:
    """Runs eager mode; to open it takes longer than many a call."""

    def __init__(self, hosts: HostPool) -> None:
        self._hosts = hosts
        self._open: list[tuple[BuiltEngine, EngineClient, int]] = []
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
        client, runner = self._opened(built, doing)
        try:
            return client.infer(runner=runner, feeds=feeds, doing=doing)
        finally:
            if not self._is_kept:
                self._close()

    def _opened(self, built: BuiltEngine, doing: str) -> tuple[EngineClient, int]:
        for other, client, runner in self._open:
            if other == built and client.host.is_alive:
                return client, runner
        client = EngineClient(self._hosts.shared(EAGER))
        runner = client.open(built=built, doing=doing)
        self._open.append((built, client, runner))
        return client, runner

    def _close(self) -> None:
        opened, self._open = self._open, []
        for _, client, runner in opened:
            if client.host.is_alive:
                client.close(runner=runner, doing="close eager")
