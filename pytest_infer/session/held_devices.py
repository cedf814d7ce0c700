"""Devices that a run has for itself, while nothing is made ahead that would disturb it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from pytest_infer.hosts.place import Place
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.session.builds_ahead import BuildsAhead
    from pytest_infer.session.device_locks import DeviceLocks


class HeldDevices:
    """Holds the devices of engines against all other runs, and pauses what this one makes ahead."""

    def __init__(
        self, locks: DeviceLocks, builds: Callable[[], BuildsAhead], hosts: Callable[[], HostPool]
    ) -> None:
        """Take what makes things ahead as functions: both are made when they are first needed."""
        self._locks = locks
        self._builds = builds
        self._hosts = hosts

    def alone(self, engines: Sequence[str]) -> AbstractContextManager[None]:
        """Hold every device on which one of the engines runs, while nothing is made ahead."""
        return self.alone_at(self._places(engines))

    def held(self, engines: Sequence[str]) -> AbstractContextManager[Callable[[], None]]:
        """Hold them, while nothing is built ahead, but hosts are started.

        Return what ends that too, until the devices are free again: it is called before anything
        is timed.
        """
        return self._held(self._places(engines))

    @contextmanager
    def alone_at(self, places: Sequence[Place]) -> Iterator[None]:
        """Hold the device at each place, while nothing is made ahead."""
        with self._hosts().paused(), self._held(places):
            yield

    @contextmanager
    def _held(self, places: Sequence[Place]) -> Iterator[Callable[[], None]]:
        """Hold places; no host is being started when that begins and when it ends.

        What starts one meanwhile waits for no lock, since this run has the device here. Without
        that, none is started: it would wait for another run, and this one for it.
        """
        hosts = self._hosts()
        with self._builds().paused(), ExitStack() as quiet, ExitStack() as lock:

            def be_quiet() -> None:
                quiet.enter_context(hosts.paused())

            with hosts.paused():
                if not self._locks.is_among(hosts.here, places):
                    be_quiet()
                lock.enter_context(self._locks.exclusive(places))
            try:
                yield be_quiet
            finally:
                with hosts.paused():
                    lock.close()

    def _places(self, engines: Sequence[str]) -> list[Place]:
        return [self._hosts().place(engine) for engine in engines]
