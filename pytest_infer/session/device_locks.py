"""The locks on the devices that a run uses: shared for parity, exclusive for timing."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

from pytest_infer.devices.device import Device
from pytest_infer.devices.fingerprint import machine
from pytest_infer.devices.lock import DeviceLock
from pytest_infer.session.device_choice import device_at
from pytest_infer.storage.lock_folder import lock_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from pytest_infer.config import InferConfig
    from pytest_infer.hosts.place import Place


class DeviceLocks:
    """Holds devices; every run on this machine names each device alike."""

    def __init__(self, config: InferConfig) -> None:
        self._config = config
        self._is_held = False
        """This run has devices for itself."""

    def shared(self, place: Place) -> AbstractContextManager[None]:
        """Hold the device at ``place`` together with other work that is not timed."""
        return self._lock(self._name(place)).shared()

    def is_among(self, here: Place, places: Iterable[Place]) -> bool:
        """Return whether the device at ``here`` is that of one of the places."""
        return self._name(here) in map(self._name, places)

    def shared_unless_held(self, place: Place) -> AbstractContextManager[None]:
        """Hold the device at ``place`` so, but for nothing while this run has one for itself.

        Whoever waits for what holds this must not take a device for itself meanwhile.
        """
        return nullcontext() if self._is_held else self.shared(place)

    @contextmanager
    def exclusive(self, places: Iterable[Place]) -> Iterator[None]:
        """Hold the device at each place; all runs take them in one order."""
        with ExitStack() as stack:
            for name in sorted({self._name(place) for place in places}):
                stack.enter_context(self._lock(name).exclusive())
            self._is_held = True
            try:
                yield
            finally:
                self._is_held = False

    @contextmanager
    def going_on(self, place: Place) -> Iterator[None]:
        """Show those who wait for the device at ``place``, which this run holds, that it works."""
        self._lock(self._name(place)).touch()
        yield

    def _name(self, place: Place) -> str:
        name = device_at(place, self._config)
        device = Device.named(name)
        if device.is_gpu and device.index < len(place.gpus):
            name = place.gpus[device.index]  # CUDA counts from 0 whatever it is shown
        return name if place.machine == machine() else f"{place.machine}-{name}"

    def _lock(self, name: str) -> DeviceLock:
        return DeviceLock(lock_folder(), name, self._config.timeout_s)
