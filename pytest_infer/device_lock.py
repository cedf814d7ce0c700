"""Keep measurements alone on a device, among all runs of this package on this machine."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import ReadWriteLock


class DeviceLock:
    """A lock on one device: shared by work that is not timed, exclusive for measurements."""

    def __init__(self, folder: Path, device: str) -> None:
        self._path = folder / f"{device.replace(':', '-')}.db"

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the device together with other work that is not timed."""
        with self._lock().read_lock():
            yield

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the device alone."""
        with self._lock().write_lock():
            yield

    def _lock(self) -> ReadWriteLock:
        from filelock import ReadWriteLock

        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return ReadWriteLock(self._path)
