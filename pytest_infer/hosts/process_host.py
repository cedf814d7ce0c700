"""An engine host that is a process: another interpreter, environment or machine."""

from __future__ import annotations

import errno
from math import inf
from signal import SIGKILL, Signals
from typing import TYPE_CHECKING, Any

from pytest_infer import __version__
from pytest_infer.errors import HostError, InferError, error_from_message
from pytest_infer.hosts.gateway import SSH, Gateway, GoneError, LateError, NoGatewayError
from pytest_infer.hosts.kernel_kills import memory_kills
from pytest_infer.hosts.wire import packed, unpacked
from pytest_infer.storage.lock_wait import tell_listener

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.hosts.place import Place

SSH_FAILED = 255
"""How ssh itself ends: without a connection, or when a signal has ended what it ran."""

FULL = (errno.EMFILE, errno.ENFILE)
MORE_FILES = "allow more open files: ulimit -n 4096"

LOST_GPU = (
    "set CUDA_LAUNCH_BLOCKING=1 to find the failing call. The process can no longer use its GPU; "
    "the next case gets a new process"
)
_SERVE = f"""
try:
    import pytest_infer
    if pytest_infer.__version__ == {__version__!r}:
        from pytest_infer.hosts.server import serve
except ImportError as error:
    channel.send({{"lack": str(error), "version": ""}})
else:
    channel.send({{"lack": "", "version": pytest_infer.__version__}})
    channel.receive()
    serve(channel)
"""
"""What the process runs. Of another version it imports nothing: its modules may lie elsewhere."""


class ProcessHost:
    """A process behind an execnet gateway."""

    place: Place
    """Where it runs; it is asked when it has started."""

    def __init__(
        self,
        spec: str,
        timeout_s: float,
        *,
        environment: Mapping[str, str] | None = None,
        aftermath: str = "",
    ) -> None:
        """Start it; a process here runs the source ``aftermath`` last, if this one has died.

        It finds ``environment`` there, of which its errors do not speak.
        """
        self._spec = spec
        self._timeout_s = timeout_s
        self._is_ended = False
        self._memory_kills = memory_kills()
        after = "" if self._is_far else aftermath
        variables = "".join(f"//env:{name}={value}" for name, value in (environment or {}).items())
        try:
            self._gateway = Gateway(spec + variables, _SERVE, timeout_s=timeout_s, aftermath=after)
        except (NoGatewayError, OSError) as error:
            has_too_many = _errno(error) in FULL
            raise self._no_start(str(error), MORE_FILES if has_too_many else _mend(spec)) from error
        try:
            found = self._gateway.receive(timeout_s)
        except (GoneError, LateError) as error:
            self.close()
            why = self._gateway.printed() or str(error) or "it did not answer in time"
            raise self._no_start(why, _mend(spec)) from error
        origin = "from the same clone or wheel"
        install = f"install pytest-infer {__version__} in the host's environment, {origin}"
        if found["lack"]:
            self.close()
            raise self._no_start(found["lack"], install)
        if found["version"] != __version__:
            self.close()
            raise HostError(
                f"the engine host {spec} has pytest-infer {found['version']}",
                why=f"this process has {__version__}, and the two must be the same",
                mend=install,
            )
        self._gateway.send("serve")

    @property
    def is_alive(self) -> bool:
        """Return whether the process can still answer."""
        return self._gateway.is_open and not self._is_ended

    def call(
        self, operation: str, /, *, error: type[InferError], doing: str, **arguments: Any
    ) -> Any:
        """Send the request and wait for its answer, at most the time-out."""
        request = {"operation": operation, "arguments": packed(arguments)}
        try:
            self._gateway.send(request)
            answer = self._answer()
        except LateError as late:
            self.close()
            raise error(
                f"cannot {doing}",
                why=f"its engine host did not answer within {self._timeout_s:g} s",
                mend="allow more by --infer-timeout=SECONDS, or look for a deadlock in the engine",
            ) from late
        except GoneError as end:
            self.close()
            raise error(f"cannot {doing}", why=self._obituary(), mend=self._debug()) from end
        except BaseException:
            self.close()  # the answer to this would be taken for the answer to the next request
            raise
        if "result" in answer:
            return unpacked(answer["result"])
        raise self._refused(answer, error, doing)

    def close(self) -> None:
        """End the process, by force if it does not go within a second."""
        self._is_ended = True
        self._gateway.close()

    def _answer(self) -> Any:
        """Return the answer; while the host waits for another run's lock, its time stands still."""
        timeout_s = self._timeout_s
        while "waiting" in (message := self._gateway.receive(timeout_s)):
            tell_listener(message["waiting"], is_over=message["is_over"])
            timeout_s = self._timeout_s if message["is_over"] else inf
        return message

    def _refused(
        self, answer: Mapping[str, Any], error: type[InferError], doing: str
    ) -> InferError:
        """Return an answer's error; a process that has lost its GPU is ended."""
        printed = self._gateway.printed()
        if answer["is_lost"]:
            self.close()
        if "error" in answer:
            return error_from_message(answer["error"])
        mend = LOST_GPU if answer["is_lost"] else self._debug()
        return error(f"cannot {doing}", why=f"{answer['exception']}\n{printed}", mend=mend)

    def _no_start(self, why: str, mend: str) -> HostError:
        return HostError(f"cannot start the engine host {self._spec}", why=why, mend=mend)

    def _obituary(self) -> str:
        end = self._far_end if self._is_far else self._end
        return f"{end}\n{self._gateway.printed()}".rstrip()

    @property
    def _end(self) -> str:
        """Return how the process has ended."""
        code = self._gateway.exit_code
        if code is None:
            return "its engine host no longer answers"
        if code == -SIGKILL:
            return f"its engine host died: killed by SIGKILL, {self._killer}"
        if code < 0:
            return f"its engine host died: killed by {Signals(-code).name}"
        return f"its engine host has left with exit status {code}: something in it called exit"

    @property
    def _killer(self) -> str:
        """Return who sent a SIGKILL, as far as the kernel's count shows."""
        now = memory_kills()
        if now is None or self._memory_kills is None:
            return "perhaps by the kernel for lack of memory"
        if now > self._memory_kills:
            return "and the kernel has ended a process for lack of memory since the host started"
        return "not by the kernel for lack of memory"

    @property
    def _far_end(self) -> str:
        """Return how the process has ended: ssh passes its exit status on."""
        code = self._gateway.exit_code
        if code is not None and 0 <= code != SSH_FAILED:
            return f"its engine host has left with exit status {code}: something in it called exit"
        end = "its engine host died, or the connection to it"
        word = "without a word: the connection was cut, or the process there was killed"
        return end if self._gateway.printed() else f"{end}\n{word}"

    def _debug(self) -> str:
        if self._is_far:
            return f"check that machine and the way to it: {self._spec}; the next case tries again"
        return "rerun this case with --infer-host=ENGINE=inline under a debugger"

    @property
    def _is_far(self) -> bool:
        return not self._spec.startswith("popen")


def _errno(error: BaseException) -> int | None:
    """Return the system's number of what has failed, of an error or of its cause."""
    return getattr(error, "errno", None) or getattr(error.__cause__, "errno", None)


def _mend(spec: str) -> str:
    parts = dict(part.partition("=")[::2] for part in spec.split("//"))
    if spec.startswith(SSH):
        python = parts.get("python") or "python"
        return f"make this answer: ssh {parts['ssh']} -o BatchMode=yes {python} --version"
    return (
        "give --infer-host or --infer-against a specification that starts a Python: "
        "ENGINE=popen//python=/opt/trt8/bin/python"
    )
