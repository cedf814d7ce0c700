"""The caller's side of an engine host: start it, ask it, notice its death, end it."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Any, Protocol

from pytest_infer import __version__
from pytest_infer.errors import HostError, InferError, error_from_message
from pytest_infer.hosts.wire import packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.spec import Source

INLINE = "inline"
DEFAULT = "popen"
LOG_LINES = 12
FATAL = "Fatal Python error"
"""How faulthandler begins to tell of a crash: the signal first, then the innermost call."""

_SERVE = """
try:
    from pytest_infer.hosts.server import serve
except ImportError as error:
    channel.send({"import": str(error)})
else:
    channel.send({"import": ""})
    serve(channel, channel.receive())
"""


class Host(Protocol):
    """Somewhere to run operations."""

    @property
    def is_alive(self) -> bool:
        """Return whether it can still answer."""
        ...

    def call(
        self, operation: str, /, *, error: type[InferError], doing: str, **arguments: Any
    ) -> Any:
        """Return an operation's result; ``error`` is raised if the host dies or hangs over it."""
        ...

    def close(self) -> None:
        """End the process and everything it holds."""
        ...


def start_host(spec: str, *, timeout_s: float, sources: Sequence[Source]) -> Host:
    """Start a host by its execnet specification, or in this process for ``inline``.

    ``sources`` hold the caller's own models and engines. Raise `HostError` if no process
    starts, if it lacks this package, or if its version differs.
    """
    host: Host = InlineHost() if spec == INLINE else ProcessHost(spec, timeout_s)
    try:
        hello = host.call(
            "host.hello",
            error=HostError,
            doing=f"start the engine host {spec}",
            sources=list(sources),
        )
    except InferError:
        host.close()
        raise
    if hello["version"] != __version__:
        host.close()
        raise HostError(
            f"the engine host {spec} has pytest-infer {hello['version']}",
            why=f"this process has {__version__}, and the two must be the same",
            mend=f"pip install pytest-infer=={__version__} in the host's environment",
        )
    return host


class InlineHost:
    """Runs operations in this process, for a debugger; it contains nothing."""

    is_alive = True

    def __init__(self) -> None:
        from pytest_infer.hosts.operations import Operations

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


class ProcessHost:
    """A process behind an execnet gateway: another interpreter, environment or machine."""

    def __init__(self, spec: str, timeout_s: float) -> None:
        import execnet

        self._spec = spec
        self._timeout_s = timeout_s
        handle, name = mkstemp(prefix="pytest-infer-host-", suffix=".log")
        self._log = Path(name)
        os.close(handle)
        self._group = execnet.Group()
        self._is_ended = False
        self._log_start = 0
        self._group.set_execmodel("thread", "main_thread_only")
        try:
            self._channel = self._group.makegateway(spec).remote_exec(_SERVE)
            absent = self._channel.receive(timeout_s)["import"]
        except (
            EOFError,
            OSError,
            ValueError,
            AttributeError,
            execnet.HostNotFound,
            execnet.RemoteError,
        ) as error:
            self.close()
            raise HostError(
                f"cannot start the engine host {spec}",
                why=str(error) or type(error).__name__,
                mend="give --infer-host=ENGINE=SPEC an execnet specification that starts a "
                "Python, e.g. popen//python=/opt/trt8/bin/python",
            ) from error
        if absent:
            self.close()
            raise HostError(
                f"cannot start the engine host {spec}",
                why=absent,
                mend=f"pip install pytest-infer=={__version__} in the host's environment",
            )
        self._channel.send(str(self._log) if spec.startswith("popen") else "")

    @property
    def is_alive(self) -> bool:
        """Return whether the process can still answer."""
        return not (self._is_ended or self._channel.isclosed())

    def call(
        self, operation: str, /, *, error: type[InferError], doing: str, **arguments: Any
    ) -> Any:
        """Send the request and wait for its answer, at most the time-out."""
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        try:
            self._channel.send({"operation": operation, "arguments": packed(arguments)})
            answer = self._channel.receive(self._timeout_s)
        except self._timeout() as late:
            self.close()
            raise error(
                f"cannot {doing}",
                why=f"its engine host did not answer within {self._timeout_s:g} s",
                mend="allow more by --infer-timeout=SECONDS, or look for a deadlock in the engine",
            ) from late
        except (EOFError, OSError, self._remote_error()) as end:
            log = self._last_words()
            self.close()
            raise error(
                f"cannot {doing}",
                why=f"its engine host died\n{log}",
                mend="rerun this case with --infer-host=ENGINE=inline under a debugger",
            ) from end
        if "error" in answer:
            raise error_from_message(answer["error"])
        if "exception" in answer:
            raise error(
                f"cannot {doing}",
                why=f"{answer['exception']}\n{self._last_words()}",
                mend="rerun this case with --infer-host=ENGINE=inline under a debugger",
            )
        return unpacked(answer["result"])

    def close(self) -> None:
        """End the process, by force if it does not go within a second."""
        self._is_ended = True
        self._group.terminate(timeout=1)
        self._log.unlink(missing_ok=True)

    def _last_words(self) -> str:
        """Return the end of what was printed during the latest call."""
        content = self._log.read_bytes() if self._log.exists() else b""
        lines = content[self._log_start :].decode(errors="replace").splitlines()
        crashes = [number for number, line in enumerate(lines) if line.startswith(FATAL)]
        told = lines[crashes[-1] :][:LOG_LINES] if crashes else lines[-LOG_LINES:]
        return "\n".join(told) or "without a word: killed, or out of memory"

    def _remote_error(self) -> type[Exception]:
        import execnet

        error: type[Exception] = execnet.RemoteError
        return error

    def _timeout(self) -> type[Exception]:
        import execnet

        timeout: type[Exception] = execnet.TimeoutError
        return timeout
