"""Everything an engine host can be asked to do, by dotted name (``engine.build``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.devices import fingerprint
from pytest_infer.devices.cores import quietest_core, stay_on
from pytest_infer.hosts.engine_operations import EngineOperations
from pytest_infer.hosts.file_operations import FileOperations
from pytest_infer.hosts.graph_operations import GraphOperations
from pytest_infer.hosts.model_operations import ModelOperations
from pytest_infer.hosts.place import Place, place_here
from pytest_infer.hosts.wire import as_type
from pytest_infer.models import registry as models
from pytest_infer.models.draft import Reading
from pytest_infer.models.model_from import register_source
from pytest_infer.models.source import Source, import_source
from pytest_infer.storage.user_cache import user_cache

if TYPE_CHECKING:
    from collections.abc import Sequence


class HostOperations:
    """What concerns the host itself."""

    def place(self, cache: str, token: str, content: str) -> Place:
        """Return where this host runs; it sees the caller's files if the ``token`` is the same."""
        sees_files = _content(Path(token)) == content
        return place_here(cache if sees_files else str(user_cache()), sees_files=sees_files)

    def import_sources(
        self, sources: list[dict[str, Any]], readings: Sequence[dict[str, Any]] = ()
    ) -> None:
        """Import the caller's own models and engines, with what it has read of some of them."""
        for each in sources:
            source = as_type(each, Source)
            register_source(source) if source.text else import_source(source)
        for reading in readings:
            models.settle(as_type(reading, Reading))

    def quietest_core(self) -> int | None:
        """Return the core of this host's machine that others use least; None if unknown."""
        return quietest_core()

    def stay_on(self, core: int) -> None:
        """Keep what this host loads from now on on one core."""
        stay_on(core)

    def device(self, device: str) -> dict[str, Any]:
        """Return the fingerprint of a device of this host's machine."""
        return fingerprint.device_fingerprint(device)


class Operations:
    """Run operations by name."""

    def __init__(self) -> None:
        self._groups = {
            "host": HostOperations(),
            "files": FileOperations(),
            "engine": EngineOperations(),
            "graph": GraphOperations(),
            "model": ModelOperations(),
        }

    def run(self, name: str, arguments: dict[str, Any]) -> Any:
        """Return the result of the operation ``name``."""
        group, _, method = name.partition(".")
        return getattr(self._groups[group], method)(**arguments)


def _content(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
