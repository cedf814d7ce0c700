"""What an engine host can be asked about builds: what can be built, from what, by which code."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pytest_infer.devices import fingerprint
from pytest_infer.engines import registry as engines
from pytest_infer.engines.kept_timings import join_timings
from pytest_infer.engines.protocol import (
    BuildRequest,
    ImportsLate,
    LimitsPrecisions,
    TimesKernels,
    WrapsEngine,
)
from pytest_infer.graphs.graph import Graph
from pytest_infer.hosts.heap import leaves_memory
from pytest_infer.hosts.resources import BUILD_S
from pytest_infer.hosts.results import BuildResult, TimingsResult
from pytest_infer.hosts.wire import as_type
from pytest_infer.models.reached_code import reached_code
from pytest_infer.models.source import source_file
from pytest_infer.storage.cache import Cache, Entry, read_entry
from pytest_infer.storage.digest import digest_of
from pytest_infer.storage.private_folder import private_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.case import Precision
    from pytest_infer.engines.protocol import Missing
    from pytest_infer.graphs.graph import GraphRequest

KIND = "engines"
"""What built engines are in the cache."""


class BuildOperations:
    """Those of `EngineOperations` that need no opened engine."""

    def __init__(self) -> None:
        self._adapters: dict[str, list[list[str]]] = {}
        self._import_s: dict[str, float] = {}
        """What importing an engine's libraries has taken, until it is counted."""

    def missing(self, engine: str, device: str) -> Missing | None:
        """Return why ``engine`` cannot run on ``device`` in this host."""
        return engines.find(engine).missing(device)

    def import_libraries(self, engine: str) -> list[str]:
        """Import what opening an engine imports; return what failed, which fails there again."""
        adapter, began = engines.find(engine), perf_counter()
        names = adapter.modules if isinstance(adapter, ImportsLate) else ()
        failed = [name for name in names if not _is_imported(name)]
        self._import_s[engine] = self._import_s.get(engine, 0.0) + perf_counter() - began
        return failed

    def runtime(self, engine: str) -> dict[str, Any]:
        """Return the versions that an engine's built engines depend on."""
        return fingerprint.runtime_fingerprint(engines.find(engine).libraries)

    def adapter(self, engine: str) -> list[list[str]]:
        """Return name and SHA-256 of each file that an engine's adapter consists of.

        Its libraries are known by their versions, and not among them.
        """
        if engine not in self._adapters:
            code = reached_code(_adapter_files(engine))
            self._adapters[engine] = code.as_key()["files"]
        return self._adapters[engine]

    def graph_request(self, engine: str, request: dict[str, Any]) -> GraphRequest:
        """Return what ``engine`` wants to be built from."""
        return engines.find(engine).graph_request(as_type(request, BuildRequest))

    def lack(self, engine: str, precision: Precision, device: str) -> Missing | None:
        """Return why ``precision`` cannot run on ``device`` in this host, as far as is known."""
        adapter = engines.find(engine)
        return adapter.lack(precision, device) if isinstance(adapter, LimitsPrecisions) else None

    @leaves_memory
    def build(
        self,
        engine: str,
        graph: dict[str, Any],
        request: dict[str, Any],
        cache: str,
        is_second: bool = False,
    ) -> BuildResult:
        """Build, unless the folder ``cache`` has it; return the folder, and how it came there.

        ``is_second`` asks for another build of the same, kept beside the first one.
        """
        adapter = engines.find(engine)
        origin, wanted = as_type(graph, Graph), as_type(request, BuildRequest)
        key = {
            "engine": engine,
            "adapter": self.adapter(engine),
            "graph": origin.digest,
            "dims": {name: asdict(dim) for name, dim in origin.spec.dims.items()},
            "precision": wanted.precision,
            "shapes": wanted.shapes,
            "options": {
                name: value
                for name, value in wanted.options.items()
                if adapter.options[name].affects_build
            },
            "runtime": fingerprint.runtime_fingerprint(adapter.libraries),
            "device": fingerprint.device_fingerprint(wanted.device),
            **({"build": "second"} if is_second else {}),
        }

        def make(folder: Path) -> Mapping[str, Any]:
            began = perf_counter()
            facts = adapter.build(origin, wanted, folder)
            return {**facts, BUILD_S: perf_counter() - began}

        entry = Cache(Path(cache)).entry(KIND, key, make)
        content = digest_of(dict(entry.digests))
        return BuildResult(str(entry.folder), entry.is_new, entry.notice, content)

    def start_timings(self, engine: str, device: str, cache: str, kept: dict[str, bytes]) -> None:
        """Let builds in the folder ``cache`` start from the file of ``kept`` for this library."""
        adapter = _times_kernels(engine)
        if timings := kept.get(adapter.timings_name()):
            place = private_folder(Path(cache, KIND), Path(cache))
            merge = partial(adapter.merge_timings, device=device)
            join_timings(adapter.timings_file(place, device), timings, merge)

    def timings(self, engine: str, device: str, cache: str) -> TimingsResult:
        """Return the timings of the builds in the folder ``cache``, nothing before the first."""
        adapter = _times_kernels(engine)
        path = adapter.timings_file(Path(cache, KIND), device)
        content = path.read_bytes() if path.is_file() else b""
        return TimingsResult(adapter.timings_name(), content)

    def merge_timings(self, engine: str, device: str, first: bytes, second: bytes) -> bytes:
        """Return all timings of both, of the first where both have a kernel."""
        return _times_kernels(engine).merge_timings(first, second, device)

    def kept(self, cache: str, artefact: str) -> str:
        """Return the folder of a built engine in ``cache``; empty if it is not there, or broken."""
        found = read_entry(Path(cache, KIND, artefact))
        return str(found.folder) if isinstance(found, Entry) else ""


def _is_imported(name: str) -> bool:
    """Import a module, and return whether that went well: a library's own code runs."""
    try:
        import_module(name)
    except Exception:  # noqa: BLE001 - whatever that raises
        return False
    return True


def _times_kernels(engine: str) -> TimesKernels:
    adapter = engines.find(engine)
    if not isinstance(adapter, TimesKernels):
        raise TypeError(f"builds of {engine} time no kernels")
    return adapter


def _adapter_files(engine: str) -> list[Path]:
    """Return the file of an engine's adapter, and of the one that it wraps."""
    adapter = engines.find(engine)
    inner = _adapter_files(adapter.inner) if isinstance(adapter, WrapsEngine) else []
    return [source_file(engines.source(engine)), *inner]
