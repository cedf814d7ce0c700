"""Keep measurements alone on a device, among all runs of this package on this machine."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pytest_infer.storage.lock_wait import Wanted, acquire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import ReadWriteLock


class DeviceLock:
    """A lock on one device: shared by work that is not timed, exclusive for measurements."""

    def __init__(self, folder: Path, device: str, limit_s: float = float("inf")) -> None:
        """Wait for holders that touch the lock's file at least every ``limit_s``."""
        self._path = folder / f"{device.replace(':', '-')}.db"
        self._wanted = Wanted(f"device {device}", self._path, limit_s)

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the device together with other work that is not timed."""
        with acquire(self._wanted, self._lock().acquire_read):
            self.touch()
            yield

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the device alone."""
        with acquire(self._wanted, self._lock().acquire_write):
            self.touch()
            yield

    def touch(self) -> None:
        """Show those who wait that the holder goes on."""
        with suppress(FileNotFoundError):  # nobody has ever held it
            os.utime(self._path)

    def _lock(self) -> ReadWriteLock:
        from filelock import ReadWriteLock

        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return ReadWriteLock(self._path)
