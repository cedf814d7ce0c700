"""The caller's side of `FileOperations`: how a host gets a file that it does not see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.errors import HostError

if TYPE_CHECKING:
    from pytest_infer.hosts.host import Host


class FileClient:
    """Asks one host; each method is the operation of its name.

    ``doing`` completes "cannot ..." in the error that is raised if the host dies or hangs.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    def find(self, *, cache: str, digest: str, name: str, doing: str) -> str:
        """Return where the file with this content and name is, or nothing."""
        path: str = self._host.call(
            "files.find", error=HostError, doing=doing, cache=cache, digest=digest, name=name
        )
        return path

    def begin(self, *, doing: str) -> None:
        """Begin to send a file."""
        self._host.call("files.begin", error=HostError, doing=doing)

    def add(self, *, chunk: bytes, doing: str) -> None:
        """Append to what was sent."""
        self._host.call("files.add", error=HostError, doing=doing, chunk=chunk)

    def finish(self, *, cache: str, digest: str, name: str, doing: str) -> str:
        """Let the host keep the file, if it has the right content; return where it is."""
        path: str = self._host.call(
            "files.finish", error=HostError, doing=doing, cache=cache, digest=digest, name=name
        )
        return path

    def together(self, *, cache: str, files: dict[str, str], doing: str) -> str:
        """Return a folder that has files of these paths and SHA-256, all of which were sent."""
        folder: str = self._host.call(
            "files.together", error=HostError, doing=doing, cache=cache, files=files
        )
        return folder
