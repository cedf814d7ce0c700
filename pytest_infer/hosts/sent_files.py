"""Files of the caller's that hosts elsewhere need: each is sent once to a machine, by content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.protocol import BuiltEngine
from pytest_infer.graphs.graph import Graph
from pytest_infer.hosts.file_client import FileClient
from pytest_infer.hosts.wrapped_host import WrappedHost
from pytest_infer.models.source import Source
from pytest_infer.storage.digest import digest_of_file
from pytest_infer.storage.lock_wait import Wanted, acquire

if TYPE_CHECKING:
    from pytest_infer.errors import InferError
    from pytest_infer.hosts.host import Host

CHUNK_BYTES = 4 * 1024 * 1024
"""What is in memory of a file at a time, on both sides: each chunk waits for the one before."""


class SentFiles:
    """What one run has sent, and where it is."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._there: dict[tuple[str, str, str], str] = {}
        self.bytes: dict[str, int] = {}
        """How much each machine got; 0 where everything was there already."""

    def adapted(self, value: Any, host: Host) -> Any:
        """Return ``value`` with every file in it where ``host`` finds it."""
        if isinstance(value, list):
            return [self.adapted(each, host) for each in value]
        if isinstance(value, Graph) and value.beside:
            return self._whole(value, host)
        if isinstance(value, Graph) or (isinstance(value, Source) and value.file):
            return replace(value, file=self._path(value.file, host))
        if isinstance(value, BuiltEngine):
            return replace(value, graph=self.adapted(value.graph, host))
        return value

    def _whole(self, graph: Graph, host: Host) -> Graph:
        """Return a graph whose weights lie beside it there, as they do here."""
        home = Path(graph.file).parent
        names = [Path(file).relative_to(home) for file in (graph.file, *graph.beside)]
        key = host.place.machine, host.place.cache, f"{graph.file} and {len(names) - 1} more"
        if key not in self._there:
            for name in names:
                self._path(str(home / name), host)
            self._there[key] = FileClient(host).together(
                cache=host.place.cache,
                files={str(name): digest_of_file(home / name) for name in names},
                doing=f"send {names[0]} to {host.place.machine}",
            )
        file, *beside = (str(Path(self._there[key], name)) for name in names)
        return replace(graph, file=file, beside=tuple(beside))

    def _path(self, file: str, host: Host) -> str:
        """Return where ``host`` has a file, which it gets if it has not."""
        place = host.place
        key = place.machine, place.cache, file
        if key not in self._there:
            self._there[key] = self._found_or_sent(Path(file), host)
        return self._there[key]

    def _found_or_sent(self, file: Path, host: Host) -> str:
        from filelock import FileLock

        machine, cache = host.place.machine, host.place.cache
        doing, digest = f"send {file.name} to {machine}", digest_of_file(file)
        self.bytes.setdefault(machine, 0)
        lock = self._cache / f".sending-{digest[:32]}.lock"
        wanted = Wanted(f"{file.name} on its way to {machine}", lock)
        with acquire(wanted, FileLock(lock).acquire):  # other workers wait and find
            files = FileClient(host)
            path = files.find(cache=cache, digest=digest, name=file.name, doing=doing)
            if not path:
                self._send(file, host, doing)
                path = files.finish(cache=cache, digest=digest, name=file.name, doing=doing)
        return path

    def _send(self, file: Path, host: Host, doing: str) -> None:
        files = FileClient(host)
        files.begin(doing=doing)
        with file.open("rb") as content:
            while chunk := content.read(CHUNK_BYTES):
                files.add(chunk=chunk, doing=doing)
                self.bytes[host.place.machine] += len(chunk)


class SendingHost(WrappedHost):
    """A host that does not see the caller's files, and gets those that its operations need."""

    def __init__(self, host: Host, sent: SentFiles) -> None:
        super().__init__(host)
        self._sent = sent

    def call(
        self, operation: str, /, *, error: type[InferError], doing: str, **arguments: Any
    ) -> Any:
        """Send the files in ``arguments``, then ask."""
        there = {name: self._sent.adapted(value, self._host) for name, value in arguments.items()}
        return self._host.call(operation, error=error, doing=doing, **there)
