"""Start an engine host: a process by its execnet specification, or this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.errors import InferError
from pytest_infer.hosts.host_client import HostClient
from pytest_infer.hosts.place import place_here
from pytest_infer.hosts.sent_files import SendingHost
from pytest_infer.hosts.wire import packed, unpacked
from pytest_infer.models.registry import settled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_infer.hosts.host import Host
    from pytest_infer.hosts.sent_files import SentFiles
    from pytest_infer.models.source import Source
    from pytest_infer.storage.cache import Cache

_TIDY = """
from pathlib import Path
from pytest_infer.storage.cache import Cache
Cache(Path({root!a})).tidy()
"""

_REMOVE = """
import shutil
shutil.rmtree({root!a}, ignore_errors=True)
"""
"""What is left to do for a caller that was killed: to remove the draft of a host that was killed
while it built, or a whole cache that was not to outlive the run."""

INLINE = "inline"

DEFAULT = "popen"


def start_host(
    spec: str,
    *,
    environment: Mapping[str, str] | None = None,
    timeout_s: float,
    sources: Sequence[Source],
    cache: Cache,
    sent: SentFiles,
) -> Host:
    """Start a host by its execnet specification, or in this process for ``inline``.

    A process finds ``environment`` there, beside what the specification sets. ``sources`` hold the
    caller's own models and engines; ``cache`` is the caller's. Raise `HostError` if no process
    starts, if it lacks this package, or if its version differs.
    """
    if spec == INLINE:
        host: Host = InlineHost(cache)
    else:
        host = _started(spec, environment, timeout_s, cache, sent)
    try:
        HostClient(host).import_sources(
            sources=sources, readings=settled(), doing=f"start the engine host {spec}"
        )
    except InferError:
        host.close()
        raise
    return host


def _started(
    spec: str,
    environment: Mapping[str, str] | None,
    timeout_s: float,
    cache: Cache,
    sent: SentFiles,
) -> Host:
    """Return a process that has said where it is, and gets the files that it does not see."""
    from pytest_infer.hosts.process_host import ProcessHost

    host = ProcessHost(spec, timeout_s, environment=environment, aftermath=_aftermath(cache))
    try:
        with cache.token() as (path, content):
            host.place = HostClient(host).place(
                cache=str(cache.root),
                token=str(path),
                content=content,
                doing=f"start the engine host {spec}",
            )
    except InferError:
        host.close()
        raise
    return host if host.place.sees_files else SendingHost(host, sent)


def _aftermath(cache: Cache) -> str:
    return (_REMOVE if cache.is_temporary else _TIDY).format(root=str(cache.root))


class InlineHost:
    """Runs operations in this process, for a debugger; it contains nothing."""

    is_alive = True

    def __init__(self, cache: Cache) -> None:
        from pytest_infer.hosts.operations import Operations

        self.place = place_here(str(cache.root), sees_files=True)
        self._operations = Operations()

    def call(
        self, operation: str, /, *, error: type[InferError], doing: str, **arguments: Any
    ) -> Any:
        """Return the operation's result; errors arise as they are."""
        del error, doing
        return unpacked(packed(self._operations.run(operation, unpacked(packed(arguments)))))

    def close(self) -> None:
        """Drop every open runner."""
        del self._operations
