"""Everything an engine host can be asked to do, by dotted name (``engine.build``)."""

from __future__ import annotations

from typing import Any

import pytest_infer
from pytest_infer import fingerprint
from pytest_infer.hosts.engine_operations import EngineOperations
from pytest_infer.hosts.model_operations import ModelOperations
from pytest_infer.hosts.wire import as_type
from pytest_infer.source import import_source
from pytest_infer.spec import Source

PROTOCOL = 1


class HostOperations:
    """What concerns the host itself."""

    def hello(self, sources: list[dict[str, str]]) -> dict[str, Any]:
        """Import the caller's own models and engines; return who answers."""
        for source in sources:
            import_source(as_type(source, Source))
        return {"protocol": PROTOCOL, "version": pytest_infer.__version__}

    def device(self, device: str) -> dict[str, Any]:
        """Return the fingerprint of a device of this host's machine."""
        return fingerprint.device_fingerprint(device)


class Operations:
    """Run operations by name."""

    def __init__(self) -> None:
        self._groups = {
            "host": HostOperations(),
            "engine": EngineOperations(),
            "model": ModelOperations(),
        }

    def run(self, name: str, arguments: dict[str, Any]) -> Any:
        """Return the result of the operation ``name``."""
        group, _, method = name.partition(".")
        return getattr(self._groups[group], method)(**arguments)
